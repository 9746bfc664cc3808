use std::{future::pending, io};

use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::signal::unix::{SignalKind, signal};

/// Stop signals in the order they arrive.
pub(super) struct Signals(BoxStream<'static, &'static str>);

impl Signals {
    /// Catches SIGTERM (orchestrators) and SIGINT (terminals) from now on.
    pub(super) fn install() -> io::Result<Self> {
        let term = arrivals(SignalKind::terminate(), "SIGTERM")?;
        let int = arrivals(SignalKind::interrupt(), "SIGINT")?;
        Ok(Self(stream::select(term, int).boxed()))
    }

    /// Completes at the next signal.
    pub(super) async fn next(&mut self) {
        match self.0.next().await {
            Some(signal) => tracing::info!(signal, "stop signal received"),
            None => pending().await,
        }
    }

    #[cfg(test)]
    pub(super) fn from_stream(stream: impl Stream<Item = &'static str> + Send + 'static) -> Self {
        Self(stream.boxed())
    }
}

fn arrivals(kind: SignalKind, name: &'static str) -> io::Result<impl Stream<Item = &'static str>> {
    let signal = signal(kind)?;
    Ok(stream::unfold(signal, move |mut signal| async move {
        signal.recv().await?;
        Some((name, signal))
    }))
}
