//! The invariants by id, as in the table of `services/ARCHITECTURE.md`.

use std::fmt;

/// One line of the table; the number is its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Invariant {
    /// An item has exactly one manifest, at its own key, and an original belongs to one item.
    OneManifest = 1,
    /// Whatever lies in a locked bucket is under a COMPLIANCE lock.
    Locked = 2,
    /// A lock is never earlier than it was seen, stated or promised before.
    LockGrows = 3,
    /// No permit without seal and settle; nothing is erased without a permit.
    Permit = 4,
    /// Every custody act is a fact.
    ActIsFact = 5,
    /// The store's hold is on, on every version, while a reason stands, and off otherwise.
    Held = 6,
    /// A create-only key has one version, which one of ours wrote, and no delete marker.
    OneVersion = 7,
    /// An answered offset never decreases.
    Offset = 8,
    /// The catalogue is what the facts say, and rebuilding it changes nothing.
    Catalogue = 9,
    /// Nothing is deleted.
    NothingGone = 10,
    /// Times are those of ingest's clock, which agrees with the store's.
    Clock = 11,
    /// A receipt is true: its manifest stands, and the bytes are those of the recorder's file.
    Receipt = 12,
    /// A manifest is true: its original has this length and these digests, its outboard proves them, the station declared them.
    Manifest = 13,
    /// Everything of an item is locked to its policy's floor and not past its horizon.
    Floor = 14,
    /// A fact lies where its content says, its id is its own, and what caused it was stated.
    Fact = 15,
    /// Every manifest reaches a seal or a mismatch, and the seal is of this original.
    Sealed = 16,
    /// No session contradicts the manifest: lost only when nothing was receipted, committed only when a manifest stands.
    Session = 17,
    /// A hold is confirmed and ended by two people.
    TwoPeople = 18,
}

impl Invariant {
    /// Every invariant.
    pub const ALL: [Self; 18] = [
        Self::OneManifest,
        Self::Locked,
        Self::LockGrows,
        Self::Permit,
        Self::ActIsFact,
        Self::Held,
        Self::OneVersion,
        Self::Offset,
        Self::Catalogue,
        Self::NothingGone,
        Self::Clock,
        Self::Receipt,
        Self::Manifest,
        Self::Floor,
        Self::Fact,
        Self::Sealed,
        Self::Session,
        Self::TwoPeople,
    ];

    /// Whether it must hold at every moment. The others are reached once services are at rest.
    #[must_use]
    pub fn is_always(self) -> bool {
        !matches!(self, Self::ActIsFact | Self::Held | Self::Catalogue | Self::Floor | Self::Sealed | Self::Session)
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "INV-{} ({self:?})", *self as u8)
    }
}
