//! Taking a body: one append from its offset check to the commit.

use std::{pin::pin, sync::Arc};

use axum::body::Bytes;
use custos_domain::ids::UploadId;
use custos_platform::vault::StoreError;
use futures::Stream;
use tracing::Instrument;

use crate::{
    Ingest,
    append::{Append, Appended},
    batches,
    budget::Unit,
    checksum::Checksum,
    commit,
    deposit::Deposit,
    error::IngestError,
    landed::Landed,
    plain,
    progress::{self, Progress, Received},
    prove,
    receive::{self, acknowledge},
    session::{Held, Session, Stage},
    settle,
    target::Target,
};

/// Takes a body from `offset` on. Answers the session's newest state and offset.
pub(crate) async fn take<E>(
    ingest: &Arc<Ingest>,
    held: Held,
    offset: u64,
    body: impl Stream<Item = Result<Bytes, E>>,
    checksum: Option<Checksum>,
) -> Result<(Session, u64), IngestError> {
    let (giver, taker) = batches::pair();
    // A task of its own: when the connection breaks, what has arrived is still put down.
    let (shared, session) = (Arc::clone(ingest), held.session.clone());
    let work = async move {
        let appended = Box::pin(append(Arc::clone(&shared), held, offset, taker.pieces(), checksum)).await;
        if let Some(offset) = appended.as_ref().err().and_then(IngestError::offset) {
            acknowledge(&shared, &session, offset).await?;
        }
        appended
    };
    let work = work.instrument(tracing::Span::current());
    let mut body = pin!(body);
    let (outcome, ()) = tokio::join!(ingest.lifecycle.track(work), giver.give(&mut body));
    if matches!(&outcome, Ok(Err(error)) if error.is_about_the_bytes()) {
        // A client that still sends would see a broken connection instead of why. Who is only to come later need not send on.
        plain::drain(&mut body, plain::LINGER).await;
    }
    outcome.map_err(|e| IngestError::Internal(e.to_string()))?
}

/// One append from its offset check to the commit. Answers the session's newest state and offset.
async fn append<E>(
    ingest: Arc<Ingest>,
    held: Held,
    offset: u64,
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    checksum: Option<Checksum>,
) -> Result<(Session, u64), IngestError> {
    let mut kept = ingest.door.take(&held.session.upload);
    let turn = ingest.takeover.take(&held.session.upload, ingest.lifecycle.soft()).await;
    let held = opened(&ingest, raise_epoch(&ingest, &held.session.upload).await?).await?;
    // That write was the first of all: no request, on whatever replica, brought any bytes before.
    let untouched = held.session.epoch == 1;
    let session = held.session;
    let length = session.length();
    match &session.stage {
        Stage::Declared => return Err(IngestError::OutboardRequired),
        Stage::Lost { reason } => return Err(IngestError::Lost(reason.clone())),
        Stage::Committed { .. } if offset == length => return Ok((session, length)),
        Stage::Committed { .. } => return Err(IngestError::Offset { offset: length }),
        Stage::Receiving => {}
    }
    let expected = ingest.expected(&session).await?;
    let progress = if untouched {
        Progress::Receiving(Received::default())
    } else {
        progress::of(&ingest.vault, &session, &expected).await?
    };
    let appended = match progress {
        Progress::Lost => return Err(ingest.lose_for_sure(&session, &expected).await),
        Progress::Receiving(received) if received.is_short(&session) => {
            return Err(ingest.lose_for_sure(&session, &expected).await);
        }
        Progress::Stored(_) if offset == length => Appended::Whole(Landed::default()),
        Progress::Stored(_) => return Err(IngestError::Offset { offset: length }),
        Progress::Receiving(received) if offset != received.offset(length) => {
            return Err(IngestError::Offset { offset: received.offset(length) });
        }
        Progress::Receiving(received) if received.contiguous == expected.parts() => Appended::Whole(Landed::default()),
        Progress::Receiving(received) => {
            let origin = session.basis.origin();
            let append = Append {
                budget: &ingest.budget,
                unit: Unit::new(origin.tenant, origin.unit),
                pace: ingest.pace,
                target: target(&ingest, &session)?,
                expected: &expected,
                received,
                kept: kept.take(),
                checksum,
                stop: turn.stop.clone(),
            };
            match append.run(body).await {
                Err(IngestError::Lost(reason)) => return Err(ingest.lose(&session, &reason).await),
                // Completed by another replica meanwhile, or gone.
                Err(IngestError::Store(StoreError::NoSuchUpload { .. })) => {
                    return Err(ingest.lose_for_sure(&session, &expected).await);
                }
                other => other?,
            }
        }
    };
    // Not needed when nothing was lacking.
    drop(kept);
    still_newest(&ingest, &session, &appended).await?;
    let landed = match appended {
        Appended::Partial { offset } => return Ok((session, offset)),
        Appended::Whole(landed) => Landed { clean: untouched && session.outboard.is_some(), ..landed },
        Appended::Held(only, permit) => {
            if let Some(deposit) = settle::judge(&ingest, &session, &only).await? {
                let deposit = commit::adopt(&ingest, &session, deposit, false).await?;
                return Ok((committed(session, &deposit), length));
            }
            target(&ingest, &session)?.send(*only, permit).await?;
            Landed::default()
        }
    };
    // Whoever comes now finds the commit running rather than this request.
    drop(turn);
    let deposit = ingest.commits.commit(&ingest, session.clone(), landed).await?;
    Ok((committed(session, &deposit), length))
}

fn target(ingest: &Ingest, session: &Session) -> Result<Target, IngestError> {
    let floor = ingest.floor(session.tenant(), ingest.trusted_now()?)?;
    Ok(Target { vault: ingest.vault.clone(), lanes: ingest.lanes.clone(), session: Arc::new(session.clone()), floor })
}

fn committed(session: Session, deposit: &Deposit) -> Session {
    let stage = Stage::Committed { code: deposit.manifest.code.clone(), manifest: deposit.object.clone() };
    Session { stage, ..session }
}

/// An upload that waits for no outboard is opened for its bytes, should it not have got that far.
pub(crate) async fn opened(ingest: &Ingest, held: Held) -> Result<Held, IngestError> {
    let proven = held.session.basis.plain().is_some() || held.session.outboard.is_some();
    if held.session.stage != Stage::Declared || !proven {
        return Ok(held);
    }
    let parts = ingest.expected(&held.session).await?.parts();
    prove::open(ingest, held, parts).await
}

/// A writer that finds a higher epoch stops: the newer request, perhaps on another replica, goes on from what is durable. What is
/// acknowledged is written down first: see [`Session::acknowledged`].
async fn still_newest(ingest: &Ingest, session: &Session, appended: &Appended) -> Result<(), IngestError> {
    let kept = match appended {
        Appended::Partial { offset } => *offset,
        // Proven by the outboard and in the store: whoever commits them, it is the same item.
        Appended::Whole(_) if session.outboard.is_some() => return Ok(()),
        _ => 0,
    };
    let now = if kept > session.acknowledged {
        let acknowledge = |newest: &mut Session| {
            if newest.epoch == session.epoch {
                newest.acknowledged = newest.acknowledged.max(kept);
            }
        };
        ingest.sessions.update(&session.upload, acknowledge).await?
    } else {
        ingest.sessions.load(&session.upload).await?
    };
    let now = now.ok_or(IngestError::Unknown)?.session;
    if now.epoch == session.epoch {
        return Ok(());
    }
    let offset = receive::offset(ingest, &now).await?;
    Err(IngestError::Superseded { offset })
}

/// Tells writers of other replicas that a newer request is here, and hears of theirs: what is remembered of the session is the
/// condition of this write.
async fn raise_epoch(ingest: &Ingest, upload: &UploadId) -> Result<Held, IngestError> {
    let held = ingest.sessions.update(upload, |session| session.epoch += 1).await?;
    held.ok_or(IngestError::Unknown)
}
