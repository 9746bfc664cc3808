//! 採集: what a recorder held when it was connected, and what became of it.

use std::collections::{BTreeMap, HashSet};

use custos_domain::{
    declaration::ClockOffset,
    fact::{Act, DeviceFile, LeftFile, Subject},
    ids::{DeviceId, DockingId, OfficerId, StationId, TenantId, UnitPath},
    item::UnifiedCode,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Known;

/// One docking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DockingRecord {
    /// The docking.
    #[schema(value_type = String)]
    pub docking: DockingId,
    /// The agency.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// The station's unit.
    #[schema(value_type = Option<String>)]
    pub unit: Option<UnitPath>,
    /// The station.
    #[schema(value_type = String)]
    pub station: StationId,
    /// The recorder.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The wearer, when known.
    #[schema(value_type = Option<String>)]
    pub officer: Option<OfficerId>,
    /// When it began; none while only its end is known.
    #[schema(value_type = Option<String>)]
    pub opened_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>)]
    pub closed_at: Option<Timestamp>,
    /// The recorder's clock against the station's (D-7).
    #[schema(value_type = Option<Object>)]
    pub clock: Option<ClockOffset>,
    /// What the recorder says it made, by the names in its own description (D-11.3).
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
    /// Every file found.
    #[schema(value_type = Vec<Object>)]
    pub files: Vec<DeviceFile>,
    /// Items with a receipt.
    #[schema(value_type = Vec<String>)]
    pub deposited: Vec<UnifiedCode>,
    /// Files that came with them, by name; empty where the dock did not tell.
    #[serde(default)]
    pub arrived: Vec<String>,
    /// Files that stayed, each with the reason.
    #[schema(value_type = Vec<Object>)]
    pub left: Vec<LeftFile>,
    /// Files erased from the recorder.
    pub erased: u32,
    /// Files found that were neither deposited nor said to have stayed (D-11.3); none until the docking ended.
    pub missing: Option<u32>,
    /// Those by name, where the dock told which files came.
    #[serde(default)]
    pub missing_files: Vec<String>,
}

impl DockingRecord {
    /// When it began, or ended where that is all that is known.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.opened_at.or(self.closed_at).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// The docking's row.
pub(super) fn fold(facts: &[Known]) -> Option<DockingRecord> {
    let mut record: Option<DockingRecord> = None;
    for known in facts {
        let fact = &known.fact;
        let Subject::Docking { station, docking } = &fact.subject else { continue };
        let (Act::DockOpened { device, .. } | Act::DockClosed { device, .. }) = &fact.act else { continue };
        let record = record.get_or_insert_with(|| DockingRecord {
            docking: docking.clone(),
            tenant: fact.tenant.clone(),
            unit: fact.unit.clone(),
            station: station.clone(),
            device: device.clone(),
            officer: None,
            opened_at: None,
            closed_at: None,
            clock: None,
            counters: BTreeMap::new(),
            files: Vec::new(),
            deposited: Vec::new(),
            arrived: Vec::new(),
            left: Vec::new(),
            erased: 0,
            missing: None,
            missing_files: Vec::new(),
        });
        record.hear(known);
    }
    record.map(DockingRecord::count)
}

impl DockingRecord {
    fn hear(&mut self, known: &Known) {
        match &known.fact.act {
            Act::DockOpened { officer, files, clock, counters, .. } => {
                self.opened_at = Some(known.fact.at);
                self.officer.clone_from(officer);
                self.files.clone_from(files);
                self.clock = *clock;
                self.counters.clone_from(counters);
            }
            Act::DockClosed { deposited, arrived, left, erased, .. } => {
                self.closed_at = Some(known.fact.at);
                self.deposited.clone_from(deposited);
                self.arrived.clone_from(arrived);
                self.left.clone_from(left);
                self.erased = *erased;
            }
            _ => {}
        }
    }

    fn count(mut self) -> Self {
        if self.opened_at.is_none() || self.closed_at.is_none() {
            return self;
        }
        let missing = if self.arrived.is_empty() {
            self.files.len().saturating_sub(self.deposited.len() + self.left.len())
        } else {
            let accounted = self.arrived.iter().chain(self.left.iter().map(|left| &left.name));
            let accounted: HashSet<&String> = accounted.collect();
            let missing = self.files.iter().map(|file| &file.name).filter(|name| !accounted.contains(name));
            self.missing_files = missing.cloned().collect();
            self.missing_files.len()
        };
        self.missing = Some(u32::try_from(missing).unwrap_or(u32::MAX));
        self
    }
}
