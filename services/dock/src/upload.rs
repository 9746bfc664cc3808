//! Carries one upload from declaration to receipt through every trouble: asks [`crate::retry`] what to do, and does it.

use std::{sync::Arc, time::Duration};

use custos_domain::{dsse::Envelope, ids::UploadId, outboard::Outboard, receipt::Receipt};
use reqwest::Body;
use tokio::time::{Instant, sleep};

use crate::{
    client::Answer,
    flow::Flow,
    journal::{FileKey, Stage},
    left::Left,
    progress::Item,
    read::{Groups, Source},
    retry::{Next, Retry, Step},
    session::Session,
    trouble::Trouble,
    verify::{self, Declared},
};

/// A pause as long as this is told to a person.
const SAID: Duration = Duration::from_secs(2);
/// How often the shown progress moves.
const SHOW: Duration = Duration::from_millis(200);

/// One item on its way to ingest.
pub struct Upload<'a> {
    /// The docking it belongs to.
    pub session: &'a Session,
    /// The file.
    pub source: Source,
    /// Its key in the journal.
    pub key: &'a FileKey,
    /// See [`crate::read::probe`].
    pub probe: &'a str,
    /// Our signed declaration.
    pub declaration: &'a Envelope,
    /// What the receipt must be for.
    pub declared: &'a Declared,
    /// What every MiB must be.
    pub outboard: Arc<Outboard>,
    /// Where its progress is shown.
    pub view: &'a Item,
    /// The upload at ingest, once it is known.
    pub upload: Option<UploadId>,
}

/// A receipt that was verified, and the envelope it came in.
#[derive(Debug, Clone)]
pub struct Receipted {
    /// The upload at ingest.
    pub upload: UploadId,
    /// As signed.
    pub envelope: Envelope,
    /// What it says.
    pub receipt: Receipt,
}

/// What one step led to.
enum Moved {
    To(Step),
    Done(UploadId, Envelope),
}

impl Upload<'_> {
    /// Hands the item in, or says why not.
    pub async fn run(mut self) -> Result<Receipted, Left> {
        let begin = Instant::now();
        let mut retry = Retry::new(self.session.patience);
        let mut next = if self.upload.is_some() { Step::Ask } else { Step::Create };
        self.view.stage("sending");
        loop {
            let step = next;
            let trouble = match self.take(step, &mut retry).await {
                Ok(Moved::To(onward)) => {
                    next = onward;
                    continue;
                }
                Ok(Moved::Done(upload, envelope)) => {
                    let receipt = verify::receipt(&envelope, &self.session.trust, self.declared)?;
                    return Ok(Receipted { upload, envelope, receipt });
                }
                Err(trouble) => trouble,
            };
            let said = trouble.to_string();
            match retry.next(step, trouble, begin.elapsed(), rand::random()) {
                Next::After(pause, after) => {
                    tracing::info!(trouble = said, ?step, ?after, ?pause, "upload met trouble: going on");
                    self.wait(&said, pause).await;
                    next = after;
                }
                Next::Stop(why) => return Err(why.into()),
            }
        }
    }

    async fn wait(&self, why: &str, pause: Duration) {
        if !pause.is_zero() {
            self.view.waits();
            if pause >= SAID {
                self.view.note(&format!("{why}; going on in {} s", pause.as_secs()));
            }
            sleep(pause).await;
            self.view.stage("sending");
        }
    }

    async fn take(&mut self, step: Step, retry: &mut Retry) -> Result<Moved, Trouble> {
        let known = self.upload.clone().filter(|_| step != Step::Create);
        let Some(upload) = known else {
            return self.create(retry).await.map(Moved::To);
        };
        let ingest = &self.session.ingest;
        match step {
            Step::Outboard { offset } => {
                ingest.put_outboard(&upload, self.outboard.encode()).await?;
                Ok(Moved::To(Step::Send { offset }))
            }
            Step::Send { offset } => {
                let kept = self.send(&upload, offset).await?;
                if kept <= offset && kept < self.declared.length {
                    return Err(Trouble::Unreachable("it kept nothing of what was sent".to_owned()));
                }
                self.onward(kept, true, retry).map(Moved::To)
            }
            Step::Receipt => match ingest.receipt(&upload).await? {
                Answer::Ready(envelope) => Ok(Moved::Done(upload, envelope)),
                Answer::Wait { after, .. } => Err(Trouble::Pending { after }),
            },
            Step::Ask | Step::Create => {
                let standing = ingest.standing(&upload).await?;
                tracing::info!(offset = standing.offset, "ingest told where to go on");
                self.onward(standing.offset, standing.outboard, retry).map(Moved::To)
            }
        }
    }

    /// Declares the item; ingest answers with the upload that brings it, or brought it before.
    async fn create(&mut self, retry: &mut Retry) -> Result<Step, Trouble> {
        let (upload, standing) =
            self.session.ingest.create(self.declaration, self.declared.length, Some(&self.outboard)).await?;
        let stage = Stage::Uploading { declaration: self.declaration.clone(), upload: upload.clone() };
        self.session.remember(self.key, self.probe, stage).await;
        self.upload = Some(upload);
        self.onward(standing.offset, standing.outboard, retry)
    }

    /// The next step when ingest has everything before `offset`.
    fn onward(&self, offset: u64, outboard: bool, retry: &mut Retry) -> Result<Step, Trouble> {
        let length = self.declared.length;
        if offset > length {
            return Err(Trouble::Protocol(format!("it claims to have {offset} of {length} bytes")));
        }
        retry.durable(offset);
        self.view.sent(offset);
        Ok(match (offset == length, outboard) {
            (true, _) => Step::Receipt,
            (false, true) => Step::Send { offset },
            (false, false) => Step::Outboard { offset },
        })
    }

    /// Sends from `offset` to the end, showing how far it is.
    async fn send(&self, upload: &UploadId, offset: u64) -> Result<u64, Trouble> {
        let flow = Flow::new(offset, self.declared.length);
        let groups = Groups::new(self.source.clone(), self.outboard.clone());
        let body = Body::wrap_stream(flow.frames(groups, self.session.throttle.clone()));
        let show = async {
            loop {
                sleep(SHOW).await;
                self.view.sent(flow.at());
                if flow.at() == self.declared.length {
                    self.view.committing();
                }
            }
        };
        tokio::select! {
            outcome = self.session.ingest.send(upload, &flow, body) => outcome,
            () = show => Ok(offset),
        }
    }
}
