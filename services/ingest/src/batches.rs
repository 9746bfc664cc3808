//! A request's body on its way from the connection's task to the one that appends it, in batches.
//!
//! They are two tasks because an append ends by itself when its connection breaks. hyper hands a body over in pieces of one TLS
//! record, 16 KiB, and waking another thread for each costs more than checking it. So the connection's task collects what has come
//! and hands it over when asked: nothing is read ahead of the budget.

use std::{collections::VecDeque, pin::pin};

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::sync::{mpsc, oneshot};

/// Bytes of a batch, give or take a piece.
const BATCH: usize = 256 << 10;
/// How often the connection may say that it has nothing more before a batch goes on its way with what it has.
const LOOKS: usize = 2;

/// The connection broke before the body's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut;

type Batch = Option<Result<Vec<Bytes>, Cut>>;

/// The connection's side.
#[derive(Debug)]
pub(crate) struct Giver {
    asked: mpsc::Receiver<oneshot::Sender<Batch>>,
}

/// The append's side.
#[derive(Debug)]
pub(crate) struct Taker {
    ask: mpsc::Sender<oneshot::Sender<Batch>>,
}

/// Two ends of one body.
pub(crate) fn pair() -> (Giver, Taker) {
    let (ask, asked) = mpsc::channel(1);
    (Giver { asked }, Taker { ask })
}

impl Giver {
    /// Hands the body over as it is asked for, until it ends or nobody asks any more. Dropped before its end, it is a cut.
    pub(crate) async fn give<E>(mut self, body: impl Stream<Item = Result<Bytes, E>>) {
        let mut body = pin!(body.fuse());
        let mut broken = false;
        while let Some(mut answer) = self.asked.recv().await {
            let next =
                async { if broken { Some(Err(Cut)) } else { body.next().await.map(|piece| piece.map_err(|_| Cut)) } };
            let first = tokio::select! {
                // Nobody waits for this any more: the sender is silent, and the append ended without it.
                () = answer.closed() => return,
                first = next => first,
            };
            let batch = match first {
                Some(Ok(first)) => {
                    let batch;
                    (batch, broken) = collect(first, &mut body).await;
                    Some(Ok(batch))
                }
                Some(Err(cut)) => Some(Err(cut)),
                None => None,
            };
            if answer.send(batch).is_err() {
                return;
            }
        }
    }
}

/// What has come by now behind the first piece; whether the connection broke behind it.
async fn collect<E>(first: Bytes, body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin)) -> (Vec<Bytes>, bool) {
    let (mut length, mut looks) = (first.len(), 0);
    let mut batch = vec![first];
    while length < BATCH && looks < LOOKS {
        match body.next().now_or_never() {
            Some(Some(Ok(piece))) => {
                length += piece.len();
                batch.push(piece);
                looks = 0;
            }
            Some(Some(Err(_))) => return (batch, true),
            // The next asking finds the end again.
            Some(None) => break,
            None => {
                looks += 1;
                // Lets the connection read its socket.
                tokio::task::yield_now().await;
            }
        }
    }
    (batch, false)
}

impl Taker {
    /// The body, piece by piece.
    pub(crate) fn pieces(self) -> impl Stream<Item = Result<Bytes, Cut>> + Unpin + Send + 'static {
        Box::pin(stream::unfold((Some(self.ask), VecDeque::new()), |(mut ask, mut ready)| async move {
            loop {
                if let Some(piece) = ready.pop_front() {
                    return Some((Ok(piece), (ask, ready)));
                }
                let (answer, batch) = oneshot::channel();
                let asked = ask.as_ref()?.send(answer).await;
                let batch = if asked.is_ok() { batch.await.unwrap_or(Some(Err(Cut))) } else { Some(Err(Cut)) };
                match batch {
                    None => return None,
                    Some(Ok(pieces)) => ready.extend(pieces),
                    Some(Err(cut)) => {
                        ask = None;
                        return Some((Err(cut), (ask, ready)));
                    }
                }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Piece = Result<Bytes, &'static str>;

    fn piece(byte: u8) -> Bytes {
        Bytes::from(vec![byte; 16 << 10])
    }

    async fn taken(body: Vec<Piece>) -> Vec<Result<u8, Cut>> {
        let (giver, taker) = pair();
        let take = taker.pieces().map(|piece| piece.map(|bytes| bytes[0])).collect::<Vec<_>>();
        tokio::join!(giver.give(stream::iter(body)), take).1
    }

    #[tokio::test]
    async fn every_piece_arrives_in_order_and_an_end_is_an_end() {
        let sent: Vec<u8> = (0..100).collect();
        let body = sent.iter().map(|byte| Ok(piece(*byte))).collect();
        assert_eq!(taken(body).await, sent.into_iter().map(Ok).collect::<Vec<_>>());
        assert!(taken(Vec::new()).await.is_empty());
    }

    #[tokio::test]
    async fn a_broken_connection_is_never_an_end() {
        assert_eq!(taken(vec![Err("broken")]).await, [Err(Cut)]);
        // Also in the middle of a batch, and though the stream itself ends behind its error.
        assert_eq!(taken(vec![Ok(piece(1)), Ok(piece(2)), Err("broken")]).await, [Ok(1), Ok(2), Err(Cut)]);
    }

    #[tokio::test]
    async fn a_connection_that_is_dropped_is_a_cut() {
        let (giver, taker) = pair();
        drop(giver);
        assert_eq!(taker.pieces().collect::<Vec<_>>().await, [Err(Cut)]);
    }

    #[tokio::test]
    async fn nothing_is_read_before_it_is_asked_for() {
        let (giver, taker) = pair();
        let read = std::cell::Cell::new(false);
        let body = stream::iter([Piece::Ok(piece(1))]).inspect(|_| read.set(true));
        let mut give = pin!(giver.give(body));
        assert!(give.as_mut().now_or_never().is_none() && !read.get());
        let mut pieces = taker.pieces();
        let (got, ()) = tokio::join!(async { (pieces.next().await, drop(pieces)).0 }, give);
        assert!(read.get() && got == Some(Ok(piece(1))));
    }

    #[tokio::test]
    async fn a_silent_sender_holds_nobody_when_the_append_has_ended() {
        let (giver, taker) = pair();
        let mut pieces = taker.pieces();
        let silent = stream::pending::<Piece>();
        let ended = async {
            assert!(tokio::time::timeout(std::time::Duration::from_millis(20), pieces.next()).await.is_err());
            drop(pieces);
        };
        tokio::join!(giver.give(silent), ended);
    }
}
