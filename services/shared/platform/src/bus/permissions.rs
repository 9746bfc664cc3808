//! What each service may do on the bus: everything is a list of subjects, and what is not on the list is refused.
//!
//! Nobody but the provisioner may touch streams and consumers, and nobody but records, which repeats what was not heard, may
//! announce another service's acts: with one stolen key the worst is a wake-up call too many, for consumers believe the store and
//! not the message.

use custos_proto::subject;

use super::topology::{self, CONSUMERS};

/// The one who makes streams and consumers.
pub const PROVISIONER: &str = "provisioner";

/// The acts each service announces.
pub const ANNOUNCES: [(&str, &[&str]); 7] = [
    (
        "ingest",
        &[
            "dock_opened",
            "dock_closed",
            "deposited",
            "deposit_rejected",
            "upload_abandoned",
            "permit_issued",
            "incident_opened",
        ],
    ),
    ("hashing", &["sealed", "incident_opened"]),
    ("transcode", &["derived"]),
    ("retention", &["lock_extended", "incident_opened"]),
    (
        "legal-hold",
        &["hold_placed", "hold_confirmed", "hold_release_proposed", "hold_released", "hold_applied", "incident_opened"],
    ),
    ("records", &["incident_closed", "record_read", "catalogue_searched"]),
    (
        "stations",
        &[
            "station_registered",
            "enrolment_code_issued",
            "station_enrolled",
            "station_renewed",
            "station_revoked",
            "incident_opened",
        ],
    ),
];

/// What records announces again when the step that must follow does not follow: every act others act on. Its reconciler is what
/// makes a lost bus come back (INV-9).
const REPEATS: (&str, &[&str]) = ("records", &["deposited", "sealed", "lock_extended", "hold_confirmed"]);

/// The subjects of one user; what is not on a list is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Where it may publish.
    pub publish: Vec<String>,
    /// Where it may listen.
    pub subscribe: Vec<String>,
}

/// Why users cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// Nobody of this name has work on the bus.
    #[error("`{0}` is no user of the bus; expected {PROVISIONER} or a service such as `ingest`")]
    Unknown(String),
    /// Not a public key.
    #[error("`{0}` is no user's public NKey: expected U and 55 letters and digits")]
    Key(String),
}

impl Permissions {
    /// The permissions of `user`: a service without `custos-`, or [`PROVISIONER`].
    pub fn of(user: &str) -> Result<Self, UserError> {
        let mut publish = Vec::new();
        if user == PROVISIONER {
            publish.push("$JS.API.>".to_owned());
        } else {
            let (_, acts) = ANNOUNCES.iter().find(|(name, _)| *name == user).ok_or_else(|| unknown(user))?;
            publish.extend(acts.iter().map(|act| subject::of_act(act)));
            if user == REPEATS.0 {
                publish.extend(REPEATS.1.iter().map(|act| subject::of_act(act)));
            }
        }
        if CONSUMERS.iter().any(|consumer| consumer.service == user) {
            publish.extend([
                topology::next_subject(user),
                topology::info_subject(user),
                topology::ack_subject(user),
                topology::dead_subject(user),
            ]);
        }
        Ok(Self { publish, subscribe: vec![format!("{}.>", inbox_prefix(user))] })
    }
}

/// The `authorization` block of nats-server's configuration for `users`, each with a name for [`Permissions::of`] and a public NKey.
///
/// Everybody is known by a key; there are no passwords and nobody is anonymous.
pub fn authorization(users: &[(&str, &str)]) -> Result<String, UserError> {
    let users: Vec<String> = users.iter().map(|(name, nkey)| user(name, nkey)).collect::<Result<_, _>>()?;
    Ok(format!("authorization {{\n  users: [\n{}  ]\n}}\n", users.concat()))
}

fn user(name: &str, nkey: &str) -> Result<String, UserError> {
    let (permissions, nkey) = (Permissions::of(name)?, checked(nkey)?);
    let (publish, subscribe) = (list(&permissions.publish), list(&permissions.subscribe));
    Ok(format!(
        r#"    # {name}
    {{
      nkey: "{nkey}"
      permissions: {{
        publish: {{ allow: {publish} }}
        subscribe: {{ allow: {subscribe} }}
      }}
    }}
"#
    ))
}

/// Answers come here, and nobody else may listen.
pub(super) fn inbox_prefix(user: &str) -> String {
    format!("_INBOX_{user}")
}

fn list(subjects: &[String]) -> String {
    let quoted: Vec<String> = subjects.iter().map(|subject| format!("\"{subject}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

/// The text goes into a file with a syntax of its own.
fn checked(nkey: &str) -> Result<&str, UserError> {
    let legal = nkey.starts_with('U') && nkey.len() == 56 && nkey.chars().all(|c| c.is_ascii_alphanumeric());
    legal.then_some(nkey).ok_or_else(|| UserError::Key(nkey.escape_debug().take(80).collect()))
}

fn unknown(user: &str) -> UserError {
    UserError::Unknown(user.escape_debug().take(40).collect())
}

#[cfg(test)]
mod tests {
    use custos_proto::ACTS;

    use super::*;

    fn a_key() -> String {
        nkeys::KeyPair::new_user().public_key()
    }

    #[test]
    fn every_act_is_announced_by_somebody_and_only_acts_are() {
        for act in ACTS {
            assert!(ANNOUNCES.iter().any(|(_, acts)| acts.contains(&act)), "nobody may announce `{act}`");
        }
        for (service, acts) in ANNOUNCES {
            assert!(acts.iter().all(|act| ACTS.contains(act)), "{service}");
        }
    }

    #[test]
    fn an_act_that_others_act_on_has_one_announcer() {
        for act in CONSUMERS.iter().flat_map(|consumer| consumer.hears) {
            let announcers = ANNOUNCES.iter().filter(|(_, acts)| acts.contains(act)).count();
            assert_eq!(announcers, 1, "{act}");
            let repeated = Permissions::of(REPEATS.0).expect("records").publish.contains(&subject::of_act(act));
            assert!(repeated, "a lost `{act}` would never be heard");
        }
    }

    #[test]
    fn a_service_has_its_own_subjects_and_no_others() {
        let hashing = Permissions::of("hashing").expect("hashing");
        assert_eq!(
            hashing.publish,
            [
                "custos.v1.*.*.sealed",
                "custos.v1.*.*.incident_opened",
                "$JS.API.CONSUMER.MSG.NEXT.FOOTAGE.hashing",
                "$JS.API.CONSUMER.INFO.FOOTAGE.hashing",
                "$JS.ACK.FOOTAGE.hashing.>",
                "custos.dead.hashing",
            ]
        );
        assert_eq!(hashing.subscribe, ["_INBOX_hashing.>"]);
        let ingest = Permissions::of("ingest").expect("ingest");
        assert!(ingest.publish.iter().all(|subject| subject.starts_with("custos.v1.*.*.")), "it consumes nothing");
        for (service, _) in ANNOUNCES {
            let Permissions { publish, .. } = Permissions::of(service).expect(service);
            assert!(
                !publish.iter().any(|s| s.contains("STREAM") || s.contains("CREATE") || s == "$JS.API.>"),
                "{service}"
            );
        }
    }

    #[test]
    fn strangers_and_texts_that_are_no_key_are_refused() {
        assert!(matches!(authorization(&[("dock", &a_key())]), Err(UserError::Unknown(_))));
        let (short, with_quote) = (&a_key()[..55], format!("U\"}}{}", "A".repeat(53)));
        for key in [short, with_quote.as_str(), "", "SUAM"] {
            assert!(matches!(authorization(&[("ingest", key)]), Err(UserError::Key(_))), "{key}");
        }
    }

    #[test]
    fn the_configuration_names_every_user_with_its_lists() {
        let key = a_key();
        let text = authorization(&[("ingest", &key), (PROVISIONER, &key)]).expect("text");
        assert!(text.contains(&format!("nkey: \"{key}\"")), "{text}");
        assert!(text.contains("publish: { allow: [\"$JS.API.>\"] }"), "{text}");
        assert!(text.contains("subscribe: { allow: [\"_INBOX_ingest.>\"] }"), "{text}");
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
