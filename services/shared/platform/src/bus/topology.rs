//! The streams and consumers of the bus: declared here, made by the provisioner, created by nobody else.

use std::time::Duration;

use custos_proto::subject;

/// The stream of announcements.
pub const FOOTAGE: &str = "FOOTAGE";
/// The stream of rejected messages.
pub const DEAD: &str = "DEAD";

/// How long announcements are kept. Truth is in the store; this is how far a consumer may be behind.
pub(super) const FOOTAGE_KEPT: Duration = Duration::from_hours(90 * 24);
/// How long dead letters are kept.
pub(super) const DEAD_KEPT: Duration = Duration::from_hours(366 * 24);
/// Sending twice within this is cut by the server.
pub(super) const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// Longest message with its headers, in bytes: an announcement and a dead letter's reason fit many times.
pub(super) const MAX_MESSAGE: i32 = 32 * 1024;
/// A message not answered for this long goes to somebody else. Long work says every so often that it progresses.
pub const ACK_WAIT: Duration = Duration::from_mins(1);
/// Messages delivered and not yet answered, at most.
///
/// Far more than there are slots: a message that waits for its next try counts as well, and with a limit of the slots a few of them
/// would stop all others. What is in work is bounded by the slots, each of which asks for one message at a time.
pub(super) const MAX_ACK_PENDING: i64 = 1000;

/// A durable pull consumer of [`FOOTAGE`]: what one service hears. It has the service's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consumer {
    /// The service, without `custos-`.
    pub service: &'static str,
    /// The acts it hears; none means every act.
    pub hears: &'static [&'static str],
}

/// Every consumer.
pub const CONSUMERS: [Consumer; 5] = [
    Consumer { service: "hashing", hears: &["deposited"] },
    Consumer { service: "transcode", hears: &["sealed"] },
    Consumer { service: "retention", hears: &["sealed", "hold_confirmed"] },
    Consumer { service: "legal-hold", hears: &["sealed", "lock_extended"] },
    Consumer { service: "records", hears: &[] },
];

impl Consumer {
    /// Its subjects.
    #[must_use]
    pub fn filters(&self) -> Vec<String> {
        if self.hears.is_empty() {
            return vec![subject::EVERY.to_owned()];
        }
        self.hears.iter().map(|act| subject::of_act(act)).collect()
    }
}

/// Where a consumer is asked for its next message.
pub(super) fn next_subject(consumer: &str) -> String {
    format!("$JS.API.CONSUMER.MSG.NEXT.{FOOTAGE}.{consumer}")
}

/// Where is told what a consumer is.
pub(super) fn info_subject(consumer: &str) -> String {
    format!("$JS.API.CONSUMER.INFO.{FOOTAGE}.{consumer}")
}

/// Where a consumer hears what became of a message.
pub(super) fn ack_subject(consumer: &str) -> String {
    format!("$JS.ACK.{FOOTAGE}.{consumer}.>")
}

/// Where a service sends what it rejects.
pub(super) fn dead_subject(service: &str) -> String {
    format!("custos.dead.{service}")
}

#[cfg(test)]
mod tests {
    use custos_proto::ACTS;

    use super::*;

    #[test]
    fn consumers_hear_only_acts_that_exist() {
        for consumer in CONSUMERS {
            for act in consumer.hears {
                assert!(ACTS.contains(act), "{} hears `{act}`", consumer.service);
            }
        }
    }

    #[test]
    fn filters_are_subjects_with_wildcards_for_tenant_and_kind() {
        let filters = |service| CONSUMERS.iter().find(|c| c.service == service).expect("consumer").filters();
        assert_eq!(filters("retention"), ["custos.v1.*.*.sealed", "custos.v1.*.*.hold_confirmed"]);
        assert_eq!(filters("records"), ["custos.v1.>"]);
    }
}
