//! What the bytes of an upload are judged by: an outboard, or, while there is none, only their number.

use base64::{Engine, engine::general_purpose::STANDARD};
use custos_domain::{
    digest::Crc64,
    keys,
    outboard::{Layout, Outboard},
};

use crate::{Ingest, error::IngestError, session::Session};

/// What the bytes of an upload are judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Every MiB is known beforehand.
    Outboard(Outboard),
    /// Nobody said what they are: their values are computed as they come, and there is an outboard once all of them came and agreed
    /// with whatever the client said of the whole.
    Length(Layout),
}

impl Expected {
    /// How the item is cut.
    #[must_use]
    pub fn layout(&self) -> Layout {
        match self {
            Self::Outboard(outboard) => outboard.layout(),
            Self::Length(layout) => *layout,
        }
    }

    /// How many parts the item has.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.layout().parts()
    }

    /// The checksum part `index` must have, when it is known.
    #[must_use]
    pub fn part_crc(&self, index: usize) -> Option<Crc64> {
        match self {
            Self::Outboard(outboard) => outboard.part_crc(index),
            Self::Length(_) => None,
        }
    }

    /// Whether `bytes` may be MiB `index`: what nobody knows, everything may be.
    #[must_use]
    pub fn admits(&self, index: usize, bytes: &[u8]) -> bool {
        match self {
            Self::Outboard(outboard) => outboard.group_matches(index, bytes),
            Self::Length(_) => true,
        }
    }
}

impl Ingest {
    /// What the bytes of a session are judged by. Asks for the outboard when the station signed for one and did not bring it yet.
    pub(crate) async fn expected(&self, session: &Session) -> Result<Expected, IngestError> {
        match self.outboard(session).await {
            Ok(outboard) => Ok(Expected::Outboard(outboard)),
            Err(IngestError::OutboardRequired) if session.basis.plain().is_some() => {
                Layout::of(session.length()).map(Expected::Length).map_err(|e| IngestError::Internal(e.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    /// The outboard of a session: what came along with the declaration, or from the intake bucket, or from beside the original once
    /// it is there.
    pub(crate) async fn outboard(&self, session: &Session) -> Result<Outboard, IngestError> {
        if let Some(encoded) = &session.outboard {
            let bytes = STANDARD.decode(encoded).map_err(|e| unreadable(&e))?;
            return Outboard::decode(&bytes).map_err(|e| unreadable(&e));
        }
        let buckets = self.vault.buckets();
        let under_way = self.vault.read_latest(&buckets.intake, &keys::intake_outboard(&session.upload)).await?;
        let document = match under_way {
            Some(document) => Some(document),
            None => self.vault.read_first(&buckets.originals, &keys::outboard(&session.upload, session.begun)).await?,
        };
        let document = document.ok_or(IngestError::OutboardRequired)?;
        Outboard::decode(&document.bytes).map_err(|e| unreadable(&e))
    }
}

fn unreadable(why: &dyn std::error::Error) -> IngestError {
    IngestError::Internal(format!("the stored outboard is unreadable: {why}"))
}
