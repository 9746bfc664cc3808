//! The words of a subject: what happened, and to what kind of thing.

use std::fmt;

use custos_domain::{
    fact::{Act, Fact, Subject},
    item::ItemKind,
};

/// Every act of the domain by its stable name, in the order of [`Act`].
pub const ACTS: [&str; 23] = [
    "dock_opened",
    "dock_closed",
    "deposited",
    "deposit_rejected",
    "upload_abandoned",
    "sealed",
    "permit_issued",
    "derived",
    "lock_extended",
    "hold_placed",
    "hold_confirmed",
    "hold_release_proposed",
    "hold_released",
    "hold_applied",
    "incident_opened",
    "incident_closed",
    "record_read",
    "catalogue_searched",
    "station_registered",
    "enrolment_code_issued",
    "station_enrolled",
    "station_renewed",
    "station_revoked",
];

const MAX_ACT: usize = 32;

/// What happened, by its stable name. May be an act that only a newer release knows: an old consumer passes it by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ActName(String);

impl ActName {
    /// The name of this act.
    #[must_use]
    pub fn of(act: &Act) -> Self {
        Self(act.name().to_owned())
    }

    /// Takes 1 to 32 characters of `a-z` and `_` as the name of an act.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |c: char| c.is_ascii_lowercase() || c == '_';
        let fits = !text.is_empty() && text.len() <= MAX_ACT && text.chars().all(legal);
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of thing a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 錄像.
    Video,
    /// 照相.
    Photo,
    /// 錄音.
    Audio,
    /// An item whose kind the fact does not repeat: only a deposit says it.
    Item,
    /// A docking.
    Docking,
    /// An upload that became no item.
    Upload,
    /// A station.
    Station,
    /// The catalogue.
    Catalogue,
    /// The store.
    Store,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Video,
        Self::Photo,
        Self::Audio,
        Self::Item,
        Self::Docking,
        Self::Upload,
        Self::Station,
        Self::Catalogue,
        Self::Store,
    ];

    /// What `fact` is about, as far as the fact itself says.
    #[must_use]
    pub fn of(fact: &Fact) -> Self {
        match (&fact.subject, &fact.act) {
            (Subject::Item { .. }, Act::Deposited { item_kind, .. }) => (*item_kind).into(),
            (Subject::Item { .. }, _) => Self::Item,
            (Subject::Docking { .. }, _) => Self::Docking,
            (Subject::Upload { .. }, _) => Self::Upload,
            (Subject::Station { .. }, _) => Self::Station,
            (Subject::Catalogue { .. }, _) => Self::Catalogue,
            (Subject::Store { .. }, _) => Self::Store,
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The kind as it stands in subjects.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Photo => "photo",
            Self::Audio => "audio",
            Self::Item => "item",
            Self::Docking => "docking",
            Self::Upload => "upload",
            Self::Station => "station",
            Self::Catalogue => "catalogue",
            Self::Store => "store",
        }
    }

    /// Whether it is about an item, and so names one.
    #[must_use]
    pub fn is_item(self) -> bool {
        matches!(self, Self::Video | Self::Photo | Self::Audio | Self::Item)
    }
}

impl From<ItemKind> for Kind {
    fn from(kind: ItemKind) -> Self {
        match kind {
            ItemKind::Video => Self::Video,
            ItemKind::Photo => Self::Photo,
            ItemKind::Audio => Self::Audio,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        for item in [ItemKind::Video, ItemKind::Photo, ItemKind::Audio] {
            assert_eq!(Kind::from(item).as_str(), item.as_str());
            assert!(Kind::from(item).is_item());
        }
    }

    /// Serde names every variant it would have taken; nothing else lists the domain's acts.
    #[test]
    fn the_list_of_acts_is_the_domains() {
        let error = serde_json::from_str::<Act>(r#"{"kind":"?"}"#).expect_err("no such act").to_string();
        let (_, expected) = error.split_once("expected one of ").expect("list of variants");
        let expected: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        assert_eq!(expected, ACTS);
        assert!(ACTS.iter().all(|act| ActName::parse(act).is_some()));
    }

    #[test]
    fn what_cannot_be_a_token_is_no_act() {
        for text in ["", "Sealed", "sealed.", "*", ">", "a b", "é", &"a".repeat(MAX_ACT + 1)] {
            assert_eq!(ActName::parse(text), None, "{text:?}");
        }
    }
}
