//! The announcement of one fact.

use custos_domain::{
    fact::Fact,
    ids::{FactId, TenantId},
    item::UnifiedCode,
    manifest::StoredObject,
};
use jiff::Timestamp;
use prost::Message as _;

use crate::{
    decode::{self, DecodeError},
    names::{ActName, Kind},
    subject::BusSubject,
    wire,
};

/// Says that a fact was made durable, and where it lies: a wake-up call for those who have work to do on it.
///
/// Whoever hears it loads the fact from the store and believes only that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The fact.
    pub fact: FactId,
    /// What happened.
    pub act: ActName,
    /// The agency.
    pub tenant: TenantId,
    /// What kind of thing it is about.
    pub kind: Kind,
    /// The item, when it is about one.
    pub item: Option<UnifiedCode>,
    /// Where the fact lies.
    pub object: StoredObject,
    /// The fact that led to it, when one did.
    pub cause: Option<FactId>,
    /// When it happened, to the millisecond.
    pub at: Timestamp,
}

impl Announcement {
    /// The announcement of `fact`, which was made durable as `object`.
    #[must_use]
    pub fn of(fact: &Fact, object: &StoredObject) -> Self {
        Self {
            fact: fact.id.clone(),
            act: ActName::of(&fact.act),
            tenant: fact.tenant.clone(),
            kind: Kind::of(fact),
            item: fact.subject.code().cloned(),
            object: object.clone(),
            cause: fact.cause.clone(),
            at: decode::whole_milliseconds(fact.at),
        }
    }

    /// Reads what came from the bus, from whoever sent it: every field is checked, and that they agree with each other.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode::decode(bytes)
    }

    /// As it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let text = |id: &Option<FactId>| id.as_ref().map(ToString::to_string).unwrap_or_default();
        let message = wire::Announcement {
            fact_id: self.fact.to_string(),
            act: self.act.to_string(),
            tenant: self.tenant.to_string(),
            kind: self.kind.to_string(),
            item: self.item.as_ref().map(ToString::to_string).unwrap_or_default(),
            bucket: self.object.bucket.clone(),
            key: self.object.key.clone(),
            version: self.object.version.clone(),
            cause: text(&self.cause),
            at_ms: self.at.as_millisecond(),
        };
        message.encode_to_vec()
    }

    /// The one subject it may travel on. Permissions are given by subject, so a message found on another is a lie.
    #[must_use]
    pub fn subject(&self) -> BusSubject {
        BusSubject { tenant: self.tenant.clone(), kind: self.kind, act: self.act.clone() }
    }
}

#[cfg(test)]
mod tests;
