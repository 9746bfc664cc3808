//! PATCH: bytes arrive, are checked by the MiB, and go to the store in parts of 8 MiB.
//!
//! Memory is one part being filled and those being sent for each running upload, out of one budget for the process
//! ([`crate::budget`]): no permit, no reading from the socket. The last part waits until the body's end is known: what a client sends too much of must not become an
//! item.

use std::time::{Duration, Instant};

use bytes::Bytes;
use custos_domain::outboard::{PART, PartValues};
use custos_platform::vault::StoreError;
use futures::{Stream, StreamExt};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    assembler::{Assembler, BadMib, FullPart},
    budget::{Budget, Permit, Unit},
    checksum::Checksum,
    error::IngestError,
    expected::Expected,
    growing,
    landed::Landed,
    metrics,
    pace::{Pace, Terms},
    progress::Received,
    target::{Made, Outgoing, Target},
};

/// A sender that is silent for this long is cut off; what it sent is kept.
pub(crate) const SILENCE: Duration = Duration::from_mins(1);
/// Parts of one upload on their way to the store at once.
const IN_FLIGHT: usize = 3;

/// Everything one append works with.
pub struct Append<'a> {
    /// The process's memory for parts; one permit is one part.
    pub budget: &'a Budget,
    /// The unit whose share of it this upload takes.
    pub unit: Unit,
    /// How fast the sender must be.
    pub pace: Terms,
    /// Where parts go: the session has its multipart upload begun when it needs one.
    pub target: Target,
    /// What the bytes must be.
    pub expected: &'a Expected,
    /// What the store already has.
    pub received: Received,
    /// Memory that was kept for it.
    pub kept: Option<Permit>,
    /// What the client says this body must be.
    pub checksum: Option<Checksum>,
    /// Cancelled when a newer request takes over or the process drains.
    pub stop: CancellationToken,
}

/// How an append ended; everything up to `offset` is durable.
#[derive(Debug)]
pub enum Appended {
    /// All bytes are in the store: the object can be made, of what is known of it.
    Whole(Landed),
    /// All bytes of an item of one part are here and nobody has said yet what they must be: whoever asked decides, and sends it.
    Held(Box<Outgoing>, Option<Permit>),
    /// More must come.
    Partial {
        /// Where to go on.
        offset: u64,
    },
}

impl Append<'_> {
    /// Takes the request's body to its end, to the item's end, or to the first thing that goes wrong.
    pub async fn run<E>(mut self, body: impl Stream<Item = Result<Bytes, E>> + Unpin) -> Result<Appended, IngestError> {
        // Kept until the tail is stored: its bytes are in memory until then.
        let permit = match self.kept.take() {
            Some(permit) => permit,
            None => self.budget.begin(&self.unit).await?,
        };
        let tail = self.target.read_tail(&self.received).await?;
        let expected = self.expected;
        let resumed = Assembler::resume(expected, self.received.contiguous, &tail, permit.buffer());
        let mut assembler = resumed.map_err(|bad| {
            IngestError::Lost(format!("MiB {} was acknowledged in pieces and turned out damaged", bad.mib))
        })?;
        let mut way = Way { permit: Some(permit), ..Way::default() };
        let end = self.receive(&mut assembler, body, &mut way).await;
        self.settle(&assembler, way, end).await
    }

    /// Reads the body and sends parts until something ends it. When that is the store, parts still on their way are dropped and
    /// asked for again.
    async fn receive<E>(
        &mut self,
        assembler: &mut Assembler<'_>,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
        way: &mut Way,
    ) -> Result<End, StoreError> {
        let mut pace = Pace::new(self.pace);
        let end = loop {
            let begun = Instant::now();
            let frame = tokio::select! {
                () = self.stop.cancelled() => break End::Superseded,
                frame = tokio::time::timeout(SILENCE, body.next()) => frame,
            };
            let mut bytes = match frame {
                Ok(Some(Ok(bytes))) => bytes,
                Ok(None) => break End::Clean,
                Ok(Some(Err(_))) => break End::Cut,
                Err(_) => {
                    metrics::cut("silent");
                    break End::Cut;
                }
            };
            if pace.took(begun.elapsed(), bytes.len()) {
                metrics::cut("slow");
                break End::Cut;
            }
            if let Some(checksum) = &mut self.checksum {
                checksum.update(&bytes);
            }
            if let Some(end) = self.consume(assembler, &mut bytes, way).await? {
                break end;
            }
        };
        while let Some(sent) = way.sending.join_next().await {
            way.made.push(stored(sent)?);
        }
        Ok(end)
    }

    /// Takes one frame. Answers an end when the frame brought one.
    async fn consume(
        &self,
        assembler: &mut Assembler<'_>,
        bytes: &mut Bytes,
        way: &mut Way,
    ) -> Result<Option<End>, StoreError> {
        while !bytes.is_empty() {
            match assembler.take(bytes) {
                Ok(None) if bytes.is_empty() => {}
                Ok(None) => return Ok(Some(End::TooLong)),
                Err(bad) => return Ok(Some(End::Bad(bad))),
                Ok(Some(part)) if part.index + 1 == self.expected.parts() => way.last = Some(self.known(part)?),
                Ok(Some(part)) => {
                    self.send(part, way)?;
                    while way.sending.len() >= IN_FLIGHT
                        && let Some(sent) = way.sending.join_next().await
                    {
                        way.made.push(stored(sent)?);
                    }
                    let room = match way.permit.take() {
                        Some(room) => room,
                        None => match self.stop.run_until_cancelled(self.budget.go_on(&self.unit)).await {
                            Some(Ok(room)) => room,
                            _ => return Ok(Some(End::Superseded)),
                        },
                    };
                    assembler.go_on_in(room.buffer());
                    way.permit = Some(room);
                }
            }
        }
        Ok(None)
    }

    /// Sends a part on its way. One that came under a checksum is stored but does not count before the checksum held.
    fn send(&self, part: FullPart, way: &mut Way) -> Result<(), StoreError> {
        let mut out = self.known(part)?;
        if self.checksum.is_some()
            && let Some(values) = out.values.take()
        {
            way.unproven.push((out.part.index, values));
        }
        if !out.stored || out.values.is_some() {
            // A task of its own: it must go on while this one waits for memory or for the network.
            way.sending.spawn(self.target.clone().send(out, way.permit.take()));
        }
        Ok(())
    }

    /// What is known of a part.
    fn known(&self, part: FullPart) -> Result<Outgoing, StoreError> {
        let listed = self.received.parts.get(&part.index);
        match self.expected {
            Expected::Outboard(outboard) => {
                let crc = outboard.part_crc(part.index).unwrap_or_default();
                Ok(Outgoing { part, crc, values: None, stored: listed.is_some() })
            }
            Expected::Length(layout) => {
                let odd = || StoreError::Unavailable { operation: "UploadPart", detail: "a part of odd length".into() };
                let values = PartValues::of(*layout, part.index, &part.bytes).ok_or_else(odd)?;
                let crc = values.crc();
                let stored = listed.is_some_and(|listed| listed.crc == Some(crc));
                Ok(Outgoing { part, crc, values: Some(values), stored })
            }
        }
    }

    /// Keeps what is left in memory, and says how it ended.
    async fn settle(
        &self,
        assembler: &Assembler<'_>,
        way: Way,
        end: Result<End, StoreError>,
    ) -> Result<Appended, IngestError> {
        let end = end.map_err(refused_part)?;
        if let Some(refused) = self.refused(assembler, &way, &end) {
            return refused;
        }
        for (index, values) in &way.unproven {
            growing::keep(&self.target.vault, &self.target.session.upload, *index, values).await?;
        }
        if let Some(last) = way.last {
            return self.end(last, way.permit, way.made).await;
        }
        // A clean end is answered with its exact offset, so even the unfinished MiB must be durable. After anything else only
        // verified MiB are kept: an answered offset never decreases, so nothing unproven may be acknowledged.
        let (base, tail) = if matches!(end, End::Clean) { assembler.tail() } else { assembler.verified_tail() };
        let offset = self.target.keep_tail(&self.received, base, tail).await?;
        match end {
            End::Clean | End::Cut | End::TooLong => Ok(Appended::Partial { offset }),
            End::Superseded => Err(IngestError::Superseded { offset }),
            End::Bad(bad) if bad.offset < self.acknowledged() => {
                Err(IngestError::Lost(format!("MiB {} was acknowledged in pieces and turned out damaged", bad.mib)))
            }
            End::Bad(bad) => Err(IngestError::Checksum { mib: bad.mib, offset }),
        }
    }

    /// Why nothing more of this body is kept, when it is not: it was too long, or not what its checksum says. A body that was cut
    /// before its checksum could be compared is dropped as well, unless an outboard proves what came of it.
    fn refused(&self, assembler: &Assembler<'_>, way: &Way, end: &End) -> Option<Result<Appended, IngestError>> {
        let proven = matches!(self.expected, Expected::Outboard(_));
        let offset = match &way.last {
            _ if self.checksum.is_some() && !proven => self.acknowledged(),
            Some(last) if self.received.contiguous < last.part.index => last.part.index as u64 * PART,
            None if self.received.contiguous as u64 * PART < assembler.tail().0 => assembler.tail().0,
            _ => self.acknowledged(),
        };
        let holds = self.checksum.as_ref().is_none_or(Checksum::holds);
        match end {
            End::TooLong => Some(Err(IngestError::TooLong { length: self.target.session.length(), offset })),
            End::Clean if !holds => Some(Err(IngestError::Chunk { offset })),
            End::Cut if !holds && !proven => Some(Ok(Appended::Partial { offset })),
            End::Superseded if !holds && !proven => Some(Err(IngestError::Superseded { offset })),
            _ => None,
        }
    }

    /// All bytes are here.
    async fn end(&self, last: Outgoing, permit: Option<Permit>, mut made: Vec<Made>) -> Result<Appended, IngestError> {
        if last.values.is_some() && self.target.session.multipart.is_none() {
            return Ok(Appended::Held(Box::new(last), permit));
        }
        made.push(self.target.clone().send(last, permit).await.map_err(refused_part)?);
        Ok(Appended::Whole(Landed::of(&self.received, made, self.expected.parts())))
    }

    fn acknowledged(&self) -> u64 {
        self.received.offset(self.target.session.length())
    }
}

/// What is under way while a body is read.
#[derive(Debug, Default)]
struct Way {
    /// Parts on their way to the store.
    sending: JoinSet<Result<Made, StoreError>>,
    /// What became of those that arrived.
    made: Vec<Made>,
    /// Room for the part being filled.
    permit: Option<Permit>,
    /// The item's last part, once it is full.
    last: Option<Outgoing>,
    /// Values of parts that count only when the body's checksum holds.
    unproven: Vec<(usize, PartValues)>,
}

/// What ended the reading of a body.
#[derive(Debug)]
enum End {
    /// The client sent all it meant to.
    Clean,
    /// The connection broke, or the sender fell silent.
    Cut,
    /// A newer request took over.
    Superseded,
    /// More bytes than declared.
    TooLong,
    /// A MiB that is not the declared one.
    Bad(BadMib),
}

/// What became of a part's task.
fn stored(sent: Result<Result<Made, StoreError>, tokio::task::JoinError>) -> Result<Made, StoreError> {
    sent.unwrap_or_else(|e| Err(StoreError::Unavailable { operation: "UploadPart", detail: e.to_string() }))
}

fn refused_part(error: StoreError) -> IngestError {
    match error {
        // Every MiB fitted the root, so it is the declared checksum that is wrong. MinIO's name for it, and SeaweedFS's.
        StoreError::Refused { code, .. } if ["XAmzContentChecksumMismatch", "BadDigest"].contains(&code.as_str()) => {
            IngestError::Outboard("the CRC64NVME it gives for a part is not that of the part's bytes".to_owned())
        }
        error => error.into(),
    }
}
