//! The subjects of the bus: `custos.v1.<tenant>.<kind>.<act>`, all lower case. Ids stand in payload and headers.

use std::fmt;

use custos_domain::ids::{IdError, TenantId};

use crate::names::{ActName, Kind};

/// Matches every announcement.
pub const EVERY: &str = "custos.v1.>";

const PREFIX: &str = "custos.v1";

/// Matches every announcement of `act`.
#[must_use]
pub fn of_act(act: &str) -> String {
    format!("{PREFIX}.*.*.{act}")
}

/// The subject of `act` for spans and metrics, which take templates and never values.
#[must_use]
pub fn template(act: &str) -> String {
    format!("{PREFIX}.{{tenant}}.{{kind}}.{act}")
}

/// The subject one announcement travels on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BusSubject {
    /// The agency.
    pub tenant: TenantId,
    /// What it is about.
    pub kind: Kind,
    /// What happened.
    pub act: ActName,
}

/// Why a text is not a subject of the bus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// Not of the form `custos.v1.<tenant>.<kind>.<act>` in lower case.
    #[error("`{0}` is not a subject of the bus: expected custos.v1.<tenant>.<kind>.<act> in lower case")]
    Form(String),
    /// The tenant's token is none.
    #[error(transparent)]
    Tenant(#[from] IdError),
}

impl BusSubject {
    /// Takes a subject apart.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        let malformed = || SubjectError::Form(text.escape_debug().take(160).collect());
        let tokens: Vec<&str> = text.split('.').collect();
        let ["custos", "v1", tenant, kind, act] = tokens.as_slice() else {
            return Err(malformed());
        };
        if tenant.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(malformed());
        }
        Ok(Self {
            tenant: TenantId::parse(&tenant.to_ascii_uppercase())?,
            kind: Kind::parse(kind).ok_or_else(malformed)?,
            act: ActName::parse(act).ok_or_else(malformed)?,
        })
    }
}

impl fmt::Display for BusSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenant = self.tenant.as_str().to_ascii_lowercase();
        write!(f, "{PREFIX}.{tenant}.{}.{}", self.kind, self.act)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_text_is_no_subject() {
        for text in [
            "",
            "custos.v1.e.video",
            "custos.v1.e.video.sealed.x",
            "custos.v1.E.video.sealed",
            "custos.v1..video.sealed",
            "custos.v1.*.video.sealed",
            "custos.v1.e.>.sealed",
            "custos.v1.e.film.sealed",
            "custos.v1.e.video.Sealed",
            "custos.v2.e.video.sealed",
            "custos.dead.hashing",
            "custos.v1.ſ.video.sealed",
        ] {
            assert!(BusSubject::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_subject_round_trips(tenant in "[A-Z0-9_]{1,16}", kind in 0..Kind::ALL.len(), act in "[a-z_]{1,32}") {
            let subject = BusSubject {
                tenant: TenantId::parse(&tenant).expect("tenant"),
                kind: Kind::ALL[kind],
                act: ActName::parse(&act).expect("act"),
            };
            prop_assert_eq!(BusSubject::parse(&subject.to_string()), Ok(subject));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,80}") {
            let _ = BusSubject::parse(&text);
        }
    }
}
