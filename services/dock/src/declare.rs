//! The station's signed statement of what it hands in.

use custos_domain::{
    declaration::Declaration,
    dsse::{Envelope, SignatureError},
    ids::IdError,
    outboard::Outboard,
    recorder::recording_from_digest,
};

use crate::{plan::Job, session::Session, verify::Declared};

/// Why nothing can be declared. Neither can happen with an item that was planned; both are told all the same.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// No recording id from these bytes.
    #[error(transparent)]
    Recording(#[from] IdError),
    /// Not signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// States what the file of `job` is, now that it was read.
pub fn declare(session: &Session, job: &Job, outboard: &Outboard) -> Result<Declaration, DeclareError> {
    let root = outboard.root();
    let recording = job.recording.clone().map_or_else(|| recording_from_digest(&root.to_hex()), Ok)?;
    let station = &session.credentials.station;
    Ok(Declaration {
        tenant: station.tenant.clone(),
        unit: station.unit.clone(),
        station: station.station.clone(),
        docking: session.docking.clone(),
        kind: job.kind,
        device: job.device.clone(),
        officer: job.officer.clone(),
        recording,
        segment: job.segment,
        file_name: job.name.clone(),
        naming_rule: job.naming_rule.clone(),
        key_file: job.key_file,
        length: outboard.len(),
        root,
        crc: outboard.crc(),
        started_at_device: job.started_at_device,
        clock: session.offset,
        declared_at: (session.now)(),
    })
}

/// Signs a declaration.
pub fn sign(session: &Session, declaration: &Declaration) -> Result<Envelope, DeclareError> {
    Ok(Envelope::seal(declaration, &session.credentials.signing)?)
}

/// An earlier declaration of the same file, when it still says what this station would say now: an upload goes on under the
/// declaration it began with, with the docking, the time and the clock of that day.
#[must_use]
pub fn still_stands(session: &Session, job: &Job, envelope: &Envelope, outboard: &Outboard) -> Option<Declaration> {
    let before: Declaration = envelope.open(&[session.credentials.key_id()]).ok()?;
    let now = declare(session, job, outboard).ok()?;
    let Declaration { docking, clock, declared_at, .. } = before.clone();
    (before == Declaration { docking, clock, declared_at, ..now }).then_some(before)
}

/// What a receipt must be for.
#[must_use]
pub fn declared(declaration: &Declaration) -> Declared {
    Declared { item: declaration.item(), length: declaration.length, root: declaration.root, crc: declaration.crc }
}
