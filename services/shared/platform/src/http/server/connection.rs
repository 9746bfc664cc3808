use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};
use rustls::pki_types::CertificateDer;
use tokio::{io::BufReader, net::TcpStream, sync::watch};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt as _;

use crate::{
    clock::Clock,
    http::{
        identity::PeerCertificate,
        tls::{REASONS, TlsState, reason},
    },
    lifecycle::Lifecycle,
    telemetry::counter,
};

/// Longest handshake: a dock on a bad line needs a few round trips, an attacker would take for ever.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Longest wait for the head of a request, and so also for the next one on an idle connection.
const HEADER_LIMIT: Duration = Duration::from_secs(30);
/// How often a connection looks whether its client's certificate has run out meanwhile.
const EXPIRY_CHECK: Duration = Duration::from_secs(5);

/// Bytes taken from a socket at once, and the most that a connection reads ahead of its request's handler. TLS would take one record of
/// 16 KiB at once, and with each the kernel answers the sender. Also the longest head of a request, which is answered 431 when it is longer.
const READ_AHEAD: usize = 64 << 10;

/// What every connection of a server is served under.
pub(super) struct Terms {
    pub(super) routes: Router,
    pub(super) clock: Clock,
    pub(super) tls: watch::Receiver<Arc<TlsState>>,
    pub(super) handshakes: Handshakes,
    pub(super) lifecycle: Lifecycle,
}

/// Counts how connections begin, and how some are ended by us.
#[derive(Debug)]
pub(super) struct Handshakes {
    outcomes: Counter<u64>,
    cut: Counter<u64>,
}

/// Serves one connection until either side ends it, its certificate is no longer good, or the service stops.
pub(super) async fn serve(stream: TcpStream, address: SocketAddr, terms: &Terms) {
    let mut tls = terms.tls.clone();
    let state = Arc::clone(&tls.borrow_and_update());
    let Some(stream) = handshake(stream, address, &state, terms).await else {
        return;
    };
    let chain: Vec<_> =
        stream.get_ref().1.peer_certificates().unwrap_or_default().iter().map(|der| der.clone().into_owned()).collect();
    let peer = chain.first().and_then(PeerCertificate::parse).map(Arc::new);

    let routes = &terms.routes;
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(READ_AHEAD)
        .serve_connection(TokioIo::new(stream), service_fn(|request| answer(routes, request, address, peer.clone())));
    let mut connection = pin!(connection);
    let driven = async {
        tokio::select! {
            done = connection.as_mut() => return done,
            () = terms.lifecycle.soft().cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    tokio::select! {
        done = driven => {
            if let Err(error) = done {
                tracing::debug!(%address, %error, "connection ended early");
            }
        }
        error = no_longer_good(tls, &chain, &terms.clock) => terms.handshakes.cut(address, peer.as_deref(), &error),
        () = terms.lifecycle.hard().cancelled() => tracing::debug!(%address, "connection dropped at the hard stop"),
    }
}

async fn handshake(
    stream: TcpStream,
    address: SocketAddr,
    state: &TlsState,
    terms: &Terms,
) -> Option<TlsStream<BufReader<TcpStream>>> {
    // Small answers must not wait for more bytes; failing to say so costs time, nothing else.
    let _ = stream.set_nodelay(true);
    let stream = BufReader::with_capacity(READ_AHEAD, stream);
    let accepted = TlsAcceptor::from(Arc::clone(&state.config)).accept(stream);
    let limited = tokio::time::timeout(HANDSHAKE_LIMIT, accepted);
    match terms.lifecycle.soft().run_until_cancelled(limited).await? {
        Ok(Ok(stream)) => {
            terms.handshakes.count("accepted");
            Some(stream)
        }
        Ok(Err(error)) => {
            let reason = error.get_ref().and_then(|e| e.downcast_ref()).map_or("closed", reason);
            terms.handshakes.count(reason);
            tracing::info!(%address, reason, %error, "TLS handshake failed");
            None
        }
        Err(_elapsed) => {
            terms.handshakes.count("timeout");
            tracing::info!(%address, reason = "timeout", "TLS handshake failed");
            None
        }
    }
}

async fn answer(
    routes: &Router,
    request: Request<Incoming>,
    address: SocketAddr,
    peer: Option<Arc<PeerCertificate>>,
) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(address));
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    routes.clone().oneshot(request).await
}

/// Completes when the client's certificate would not be accepted any more: revoked, its authority removed, or expired.
async fn no_longer_good(
    mut tls: watch::Receiver<Arc<TlsState>>,
    chain: &[CertificateDer<'_>],
    clock: &Clock,
) -> rustls::Error {
    loop {
        tokio::select! {
            Ok(()) = tls.changed() => {}
            () = tokio::time::sleep(EXPIRY_CHECK) => {}
        }
        let state = Arc::clone(&tls.borrow_and_update());
        if let Err(error) = state.verify_peer(chain, clock) {
            return error;
        }
    }
}

impl Handshakes {
    pub(super) fn new(meter: &Meter) -> Self {
        let outcomes = ["accepted", "timeout", "closed"].into_iter().chain(REASONS);
        let outcomes = outcomes.map(|outcome| [KeyValue::new("outcome", outcome)]);
        let reasons = REASONS.map(|reason| [KeyValue::new("reason", reason)]);
        Self {
            outcomes: counter(meter, "custos.tls.handshakes", "{handshake}", "TLS handshakes.", outcomes),
            cut: counter(
                meter,
                "custos.tls.cut_connections",
                "{connection}",
                "Connections ended because the client's certificate was no longer good.",
                reasons,
            ),
        }
    }

    fn count(&self, outcome: &'static str) {
        self.outcomes.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    fn cut(&self, address: SocketAddr, peer: Option<&PeerCertificate>, error: &rustls::Error) {
        let (reason, serial) = (reason(error), peer.map(|peer| peer.serial.as_str()));
        self.cut.add(1, &[KeyValue::new("reason", reason)]);
        tracing::info!(%address, serial, reason, %error, "connection cut: its certificate is no longer good");
    }
}
