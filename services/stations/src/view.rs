//! A station as people see it.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ledger::stations::Listed;

/// A station.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StationView {
    /// Itself.
    pub id: String,
    /// Its agency.
    pub tenant: String,
    /// Its unit.
    pub unit: String,
    /// Whether it may deposit without a signed declaration.
    pub plain: bool,
    /// How it stands.
    pub state: State,
    /// The certificate it has, when it has one that is not revoked.
    pub certificate: Option<CertificateView>,
    /// Until when the code issued last can be used.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub code_until: Option<Timestamp>,
    /// Who registered it; `register`: it was in the register before this service was.
    pub registered_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: Timestamp,
    /// Who shut it out.
    pub revoked: Option<RevocationView>,
    /// When it last had a certificate issued. When it last handed in, records tells.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Timestamp>,
}

/// How a station stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Registered; it has no certificate of this service's and no code.
    Registered,
    /// A code waits to be used.
    Awaiting,
    /// It has a certificate that is good.
    Enrolled,
    /// Its certificate has ended; it needs a new code.
    Expired,
    /// Shut out; a new code lets it back in.
    Revoked,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CertificateView {
    /// Serial number, lower-case hexadecimal.
    pub serial: String,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// Who shut a station out, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RevocationView {
    /// The person.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl StationView {
    /// The station as it stands at `now`.
    pub fn of(listed: Listed, now: Timestamp) -> Self {
        let state = State::of(&listed, now);
        let Listed { station, certificate, code_until } = listed;
        Self {
            id: station.id.to_string(),
            tenant: station.tenant.to_string(),
            unit: station.unit.to_string(),
            plain: station.plain,
            state,
            certificate: certificate.map(|(serial, until)| CertificateView { serial, until }),
            code_until,
            registered_by: station.registered_by,
            registered_at: station.registered_at,
            revoked: station.revoked.map(|by| RevocationView { by: by.by, at: by.at, reason: by.why }),
            seen_at: station.seen_at,
        }
    }
}

impl State {
    fn of(listed: &Listed, now: Timestamp) -> Self {
        match (&listed.certificate, listed.code_until) {
            (Some((_, until)), _) if *until > now => Self::Enrolled,
            (_, Some(_)) => Self::Awaiting,
            _ if listed.station.revoked.is_some() => Self::Revoked,
            (Some(_), None) => Self::Expired,
            (None, None) => Self::Registered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::stations::{Revocation, Station};

    #[test]
    fn a_station_stands_as_its_certificate_and_code_say() {
        let at = |second: i64| Timestamp::from_second(second).expect("time");
        let station = Station {
            tenant: "E".parse().expect("tenant"),
            id: "S1".parse().expect("station"),
            unit: "NJ".parse().expect("unit"),
            plain: false,
            registered_by: "e-admin".into(),
            registered_at: at(1),
            revoked: None,
            refused_before: None,
            seen_at: None,
        };
        let fresh = Listed { station, certificate: None, code_until: None };
        let state = |listed: &Listed| State::of(listed, at(100));
        assert_eq!(state(&fresh), State::Registered);
        let awaiting = Listed { code_until: Some(at(200)), ..fresh.clone() };
        assert_eq!(state(&awaiting), State::Awaiting);
        let enrolled = Listed { certificate: Some(("ab".into(), at(101))), ..awaiting.clone() };
        assert_eq!(state(&enrolled), State::Enrolled, "a new code does not end a certificate");
        let expired = Listed { certificate: Some(("ab".into(), at(100))), ..fresh.clone() };
        assert_eq!(state(&expired), State::Expired);
        let revoked = Some(Revocation { by: "e-admin".into(), at: at(50), why: "stolen".into() });
        let shut_out = |listed: &Listed| Listed {
            station: Station { revoked: revoked.clone(), ..listed.station.clone() },
            ..listed.clone()
        };
        assert_eq!(state(&shut_out(&fresh)), State::Revoked);
        assert_eq!(state(&shut_out(&awaiting)), State::Awaiting);
    }
}
