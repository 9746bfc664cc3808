//! What an upload rests on: a declaration its station signed, or what a client said without signing it.

use custos_domain::{
    declaration::Declaration,
    digest::{Crc64, Root},
    dsse::Envelope,
    evidence::{Evidence, Statement},
    ids::{DeviceId, OfficerId, RecordingId, Segment, StationId, TenantId, UnitPath},
    item::{ItemKey, ItemKind},
    keys,
};
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

/// What an upload rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Basis {
    /// The dock signed for the bytes.
    Declared {
        /// The declaration as it came; verified when the session was created.
        envelope: Envelope,
        /// What it says.
        declaration: Box<Declaration>,
    },
    /// Nobody signed.
    Plain {
        /// What was said.
        plain: Box<Plain>,
    },
}

/// An upload without a declaration: who brings it by their certificate, and what they say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plain {
    /// The agency, by the certificate.
    pub tenant: TenantId,
    /// The unit, by the certificate.
    pub unit: UnitPath,
    /// The station, by the certificate.
    pub station: StationId,
    /// The recorder.
    pub device: DeviceId,
    /// The act of recording.
    pub recording: RecordingId,
    /// The file's position in the recording.
    pub segment: Segment,
    /// The wearer, when said.
    pub officer: Option<OfficerId>,
    /// Video, photograph or audio.
    pub kind: ItemKind,
    /// Bytes.
    pub length: u64,
    /// The rest, as the manifest will keep it.
    pub statement: Statement,
}

/// Whose upload it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The agency.
    pub tenant: &'a TenantId,
    /// The unit.
    pub unit: &'a UnitPath,
    /// The station.
    pub station: &'a StationId,
}

impl Basis {
    /// Whose upload it is.
    #[must_use]
    pub fn origin(&self) -> Origin<'_> {
        match self {
            Self::Declared { declaration: d, .. } => Origin { tenant: &d.tenant, unit: &d.unit, station: &d.station },
            Self::Plain { plain: p } => Origin { tenant: &p.tenant, unit: &p.unit, station: &p.station },
        }
    }

    /// The item's key before anything is known of variants.
    #[must_use]
    pub fn item(&self) -> ItemKey {
        match self {
            Self::Declared { declaration, .. } => declaration.item(),
            Self::Plain { plain } => ItemKey {
                tenant: plain.tenant.clone(),
                device: plain.device.clone(),
                recording: plain.recording.clone(),
                segment: plain.segment,
                variant: None,
            },
        }
    }

    /// Bytes announced.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::Declared { declaration, .. } => declaration.length,
            Self::Plain { plain } => plain.length,
        }
    }

    /// Video, photograph or audio.
    #[must_use]
    pub fn kind(&self) -> ItemKind {
        match self {
            Self::Declared { declaration, .. } => declaration.kind,
            Self::Plain { plain } => plain.kind,
        }
    }

    /// Name of the file on the recorder, printable.
    #[must_use]
    pub fn file_name(&self) -> &str {
        match self {
            Self::Declared { declaration, .. } => &declaration.file_name,
            Self::Plain { plain } => &plain.statement.file_name,
        }
    }

    /// The wearer, when known.
    #[must_use]
    pub fn officer(&self) -> Option<&OfficerId> {
        match self {
            Self::Declared { declaration, .. } => declaration.officer.as_ref(),
            Self::Plain { plain } => plain.officer.as_ref(),
        }
    }

    /// Start of the recording by the recorder's own clock.
    #[must_use]
    pub fn started_at_device(&self) -> Option<DateTime> {
        match self {
            Self::Declared { declaration, .. } => declaration.started_at_device,
            Self::Plain { plain } => Some(plain.statement.started_at_device),
        }
    }

    /// The root the bytes must have, when it was said beforehand.
    #[must_use]
    pub fn root(&self) -> Option<Root> {
        match self {
            Self::Declared { declaration, .. } => Some(declaration.root),
            Self::Plain { plain } => plain.statement.blake3,
        }
    }

    /// The checksum over all bytes, when somebody signed for it; the outboard was compared with it when it came.
    #[must_use]
    pub fn crc(&self) -> Option<Crc64> {
        match self {
            Self::Declared { declaration, .. } => Some(declaration.crc),
            Self::Plain { .. } => None,
        }
    }

    /// As the manifest keeps it.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        match self {
            Self::Declared { envelope, .. } => Evidence::Declared(envelope.clone()),
            Self::Plain { plain } => Evidence::Unsigned(plain.statement.clone()),
        }
    }

    /// Key of the claim under which the same thing meets again: item and root, or, while the root is not known, everything that
    /// was said of it and by whom.
    #[must_use]
    pub fn claim(&self) -> String {
        match self {
            Self::Declared { declaration, .. } => keys::claim(&declaration.item(), &declaration.root),
            Self::Plain { plain } => keys::plain_claim(&plain.description()),
        }
    }

    /// What an unsigned client said; none when somebody signed.
    #[must_use]
    pub fn plain(&self) -> Option<&Plain> {
        match self {
            Self::Declared { .. } => None,
            Self::Plain { plain } => Some(plain),
        }
    }
}

impl Plain {
    /// BLAKE3 over everything said. The header's letters do not count: a client may order its metadata anew each time.
    fn description(&self) -> Root {
        let said = Self { statement: Statement { metadata: String::new(), ..self.statement.clone() }, ..self.clone() };
        // A struct of strings and numbers always serialises.
        Root::of(&serde_json::to_vec(&said).unwrap_or_default())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::civil::date;

    use super::*;

    pub(crate) fn plain(length: u64) -> Plain {
        Plain {
            tenant: TenantId::parse("E").expect("tenant"),
            unit: UnitPath::parse("NANJING").expect("unit"),
            station: StationId::parse("S1").expect("station"),
            device: DeviceId::parse("DSJ1").expect("device"),
            recording: RecordingId::parse("R1").expect("recording"),
            segment: Segment(0),
            officer: None,
            kind: ItemKind::Video,
            length,
            statement: Statement {
                file_name: "a.mp4".into(),
                naming_rule: None,
                key_file: false,
                started_at_device: date(2026, 11, 23).at(9, 0, 0, 0),
                blake3: None,
                sha256: None,
                metadata: "filename YS5tcDQ=".into(),
            },
        }
    }

    #[test]
    fn the_same_words_meet_again_whatever_their_order_and_others_do_not() {
        let claim = |plain: Plain| Basis::Plain { plain: Box::new(plain) }.claim();
        let first = plain(7);
        let mut reordered = first.clone();
        reordered.statement.metadata = "other letters".into();
        assert_eq!(claim(first.clone()), claim(reordered));
        assert_ne!(claim(first.clone()), claim(plain(8)));
        let elsewhere = Plain { unit: UnitPath::parse("NANJING/OTHER").expect("unit"), ..first.clone() };
        assert_ne!(claim(first), claim(elsewhere));
    }

    #[test]
    fn a_session_of_an_unsigned_client_is_read_back() {
        let basis = Basis::Plain { plain: Box::new(plain(7)) };
        let json = serde_json::to_vec(&basis).expect("json");
        assert_eq!(serde_json::from_slice::<Basis>(&json).expect("read back"), basis);
        assert_eq!(basis.root(), None);
        assert!(!basis.evidence().is_signed());
    }
}
