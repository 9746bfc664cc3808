//! After the deposits: asks for erase permits until they are all there or patience ends, and erases under each.

use std::time::Duration;

use custos_domain::{dsse::Envelope, ids::UploadId};
use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep};
use tracing::{Instrument, info_span};

use crate::{
    client::Answer,
    deposit::Deposit,
    erase::{NotErased, erase},
    journal::Stage,
    plan::Job,
    progress::Whole,
    session::Session,
    telemetry,
    trouble::Trouble,
    verify,
};

/// Shortest and longest pause between two rounds.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Files asked for at once.
const AT_ONCE: usize = 4;

/// One deposited file that shall be erased.
struct Wish<'a> {
    job: &'a Job,
    deposit: &'a Deposit,
    upload: UploadId,
    outcome: Option<Result<(), NotErased>>,
}

/// What one question for a permit led to.
enum Asked {
    Ended(Result<(), NotErased>),
    Later { after: Option<Duration>, state: String },
    Moved(UploadId),
}

/// Erases what may be erased within `wait`; an outcome for each deposit, in their order.
pub async fn erase_all(
    session: &Session,
    deposits: &[(&Job, &Deposit)],
    wait: Duration,
    whole: &Whole,
) -> Vec<Result<(), NotErased>> {
    let begin = Instant::now();
    let mut wishes: Vec<Wish<'_>> = deposits
        .iter()
        .map(|(job, deposit)| Wish { job, deposit, upload: deposit.receipted.upload.clone(), outcome: None })
        .collect();
    loop {
        let (pause, state) = round(session, &mut wishes, whole).await;
        let waiting = wishes.iter().filter(|wish| wish.outcome.is_none()).count();
        let pause = pause.clamp(PAUSES.0, PAUSES.1);
        let ended = session.halt.token().is_cancelled();
        if waiting == 0 || ended || begin.elapsed() + pause > wait {
            let last = || if ended { NotErased::Ended } else { NotErased::NotYet(state.clone()) };
            return wishes.into_iter().map(|wish| wish.outcome.unwrap_or_else(|| Err(last()))).collect();
        }
        whole.say(&format!("waiting for {waiting} erase permits ({state}); asking again in {} s", pause.as_secs()));
        tokio::select! {
            () = sleep(pause) => {}
            () = session.halt.token().cancelled() => {}
        }
    }
}

/// Asks once for every file still waiting. Answers the longest pause asked for and what is waited for.
async fn round(session: &Session, wishes: &mut [Wish<'_>], whole: &Whole) -> (Duration, String) {
    let waiting: Vec<usize> = (0..wishes.len()).filter(|place| wishes[*place].outcome.is_none()).collect();
    let asking = stream::iter(waiting).map(|place| {
        let wish = &wishes[place];
        let span = info_span!(parent: None, "dock.item.erase", code = %wish.deposit.receipt().code);
        let asked = telemetry::item_trace(span, wish.deposit.trace.as_deref(), ask(session, wish));
        async move { (place, asked.await) }
    });
    let asked: Vec<(usize, Asked)> = asking.buffer_unordered(AT_ONCE).collect().await;
    let (mut pause, mut waits_for) = (Duration::ZERO, String::new());
    for (place, asked) in asked {
        match asked {
            Asked::Ended(outcome) => {
                let name = &wishes[place].job.name;
                match &outcome {
                    Ok(()) => whole.say(&format!("{name}: erased from the recorder")),
                    Err(why) => whole.say(&format!("{name}: not erased: {why}")),
                }
                wishes[place].outcome = Some(outcome);
            }
            Asked::Moved(upload) => wishes[place].upload = upload,
            Asked::Later { after, state } => {
                pause = pause.max(after.unwrap_or_default());
                waits_for = state;
            }
        }
    }
    (pause, waits_for)
}

async fn ask(session: &Session, wish: &Wish<'_>) -> Asked {
    let answer = tokio::select! {
        biased;
        () = session.halt.token().cancelled() => return Asked::Ended(Err(NotErased::Ended)),
        answer = session.ingest.permit(&wish.upload) => answer,
    };
    match answer {
        Ok(Answer::Ready(envelope)) => Asked::Ended(erase_under(session, wish, envelope).await),
        Ok(Answer::Wait { after, state }) => Asked::Later { after, state },
        Err(Trouble::Lost) => find_again(session, wish).await,
        Err(Trouble::Busy { after, detail }) => Asked::Later { after, state: detail },
        Err(trouble) if trouble.is_passing() => Asked::Later { after: None, state: trouble.to_string() },
        Err(trouble) => Asked::Ended(Err(NotErased::Refused(trouble.to_string()))),
    }
}

/// Ingest forgets uploads after a while, never items: declaring the same item again leads to it.
async fn find_again(session: &Session, wish: &Wish<'_>) -> Asked {
    let length = wish.deposit.receipt().length;
    match session.ingest.create(&wish.deposit.declaration, length, None).await {
        Ok((upload, standing)) if standing.offset == length && upload != wish.upload => Asked::Moved(upload),
        Ok(_) => {
            let why =
                "ingest gave a receipt for it once and does not know it any more; keep the recorder and report this";
            Asked::Ended(Err(NotErased::Refused(why.to_owned())))
        }
        Err(trouble) if trouble.is_passing() => Asked::Later { after: None, state: trouble.to_string() },
        Err(trouble) => Asked::Ended(Err(NotErased::Refused(trouble.to_string()))),
    }
}

/// Never cut off in the middle: what is erased must be counted. A halt ends the reading inside.
async fn erase_under(session: &Session, wish: &Wish<'_>, envelope: Envelope) -> Result<(), NotErased> {
    let permission = verify::permit(&envelope, &session.trust, wish.deposit.receipt())?;
    let Deposit { key, probe, declaration, receipted, .. } = wish.deposit;
    let (declaration, upload, receipt) = (declaration.clone(), wish.upload.clone(), receipted.envelope.clone());
    let permitted = Stage::Permitted {
        declaration: declaration.clone(),
        upload: upload.clone(),
        receipt: receipt.clone(),
        permit: envelope.clone(),
    };
    session.remember(key, probe, permitted).await;
    let (source, root, stop) = (session.source(wish.job), session.root.clone(), session.halt.token().clone());
    let work = tokio::task::spawn_blocking(move || erase(&source, &root, &permission, &stop));
    let erased = work.instrument(info_span!("dock.file.erase")).await;
    let erased = erased.unwrap_or_else(|error| Err(NotErased::Failed(error.to_string())));
    match &erased {
        Ok(()) => session.remember(key, probe, Stage::Erased { declaration, upload, receipt, permit: envelope }).await,
        // Changed without a trace in size, time and probe: what is remembered is about a file that is no more.
        Err(NotErased::Other(_)) => session.remember(key, probe, Stage::Seen).await,
        Err(_) => {}
    }
    erased
}
