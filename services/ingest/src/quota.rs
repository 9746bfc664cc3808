//! How much may be under way for one recorder and one station: reserved from the declared length before anything is stored.
//!
//! Kept in memory and learnt again from the sessions in the store, on which alone it rests: a restart, and what other replicas
//! admit, is known after a round of the reconciler. So with several replicas a quota may be passed by what came within a round.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use custos_domain::{
    ids::{DeviceId, StationId, TenantId, UploadId},
    outboard::PART,
};
use jiff::Timestamp;

use crate::{error::IngestError, session::Session};

/// What a small upload counts: it takes a part's memory and a session, however few its bytes.
const LEAST: u64 = PART;

/// The most bytes under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one recorder.
    pub device: u64,
    /// For one station.
    pub station: u64,
}

/// What is under way.
#[derive(Debug)]
pub struct Quotas {
    limits: Limits,
    open: Mutex<HashMap<UploadId, Reserved>>,
}

/// One upload's part of its quotas.
#[derive(Debug, Clone)]
struct Reserved {
    tenant: TenantId,
    device: DeviceId,
    station: StationId,
    bytes: u64,
    begun: Timestamp,
}

impl Quotas {
    /// Nothing under way.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, open: Mutex::default() }
    }

    /// Reserves a new session's declared length, or says whose quota is used up.
    pub fn reserve(&self, session: &Session) -> Result<(), IngestError> {
        let new = Reserved::of(session);
        let mut open = self.lock();
        let others = open.iter().filter(|(upload, _)| **upload != session.upload).map(|(_, reserved)| reserved);
        let (mut device, mut station) = (0, 0);
        for other in others.filter(|other| other.tenant == new.tenant) {
            device += if other.device == new.device { other.bytes } else { 0 };
            station += if other.station == new.station { other.bytes } else { 0 };
        }
        check("recorder", self.limits.device, device, new.bytes)?;
        check("station", self.limits.station, station, new.bytes)?;
        open.insert(session.upload.clone(), new);
        Ok(())
    }

    /// A session under way was met: it counts, whatever the quotas say.
    pub fn learn(&self, session: &Session) {
        self.lock().insert(session.upload.clone(), Reserved::of(session));
    }

    /// An upload ended.
    pub fn settle(&self, upload: &UploadId) {
        self.lock().remove(upload);
    }

    /// When the oldest upload under way began.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        self.lock().values().map(|reserved| reserved.begun).min()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, Reserved>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reserved {
    fn of(session: &Session) -> Self {
        let origin = session.basis.origin();
        Self {
            tenant: origin.tenant.clone(),
            device: session.basis.item().device,
            station: origin.station.clone(),
            bytes: session.length().max(LEAST),
            begun: session.begun,
        }
    }
}

/// Whether `new` bytes fit beside those `open`. Pure.
fn check(whose: &'static str, limit: u64, open: u64, new: u64) -> Result<(), IngestError> {
    if new > limit {
        return Err(IngestError::OverQuota { whose, limit, length: new });
    }
    if open.saturating_add(new) > limit {
        return Err(IngestError::Quota { whose, limit, open, length: new });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_taken_and_the_rest_told_why() {
        assert!(check("station", 10, 4, 6).is_ok());
        assert!(matches!(check("station", 10, 5, 6), Err(IngestError::Quota { open: 5, .. })));
        assert!(matches!(check("station", 10, 0, 11), Err(IngestError::OverQuota { length: 11, .. })));
        assert!(check("station", u64::MAX, u64::MAX, 1).is_ok());
    }
}
