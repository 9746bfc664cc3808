//! The HTTPS port of a service: HTTP/1.1 over TLS 1.2 or 1.3, drained with the service.

mod connection;

#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::tls::{Clients, Reloader};
use crate::{
    config::{ConfigError, TlsArgs},
    service::Context,
};
use connection::{Handshakes, Terms};

/// Pause after the system refused a connection (out of file descriptors): trying at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound port with its certificates loaded, not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    reloader: Reloader,
    permits: Arc<Semaphore>,
    handshakes: Handshakes,
    context: Context,
}

impl Server {
    /// Loads the files and opens the port. Every problem is a [`ConfigError`] naming its option.
    pub async fn bind(args: &TlsArgs, context: &Context) -> anyhow::Result<Self> {
        Self::bind_for(args, Clients::default(), context).await
    }

    /// The same with other terms for client certificates.
    pub async fn bind_for(args: &TlsArgs, clients: Clients, context: &Context) -> anyhow::Result<Self> {
        let reloader = Reloader::load(args, clients, context.clock.clone(), &context.meter)?;
        let listener = TcpListener::bind(args.listen)
            .await
            .map_err(|error| ConfigError::new("--listen", format!("cannot listen on {}: {error}", args.listen)))?;
        let permits = usize::try_from(args.max_connections.get())?.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            listener,
            reloader,
            permits: Arc::new(Semaphore::new(permits)),
            handshakes: Handshakes::new(&context.meter),
            context: context.clone(),
        })
    }

    /// Where it listens; useful after asking for port 0.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listener.local_addr().context("ask for the HTTPS port's address")
    }

    /// Serves `routes` as a part of the service until it drains: then no connection is accepted, running requests are
    /// finished, and what runs at the hard stop is dropped. Dress the routes first ([`super::dress`]).
    pub fn start(self, routes: Router) {
        let lifecycle = self.context.lifecycle.clone();
        lifecycle.spawn("http.server", async move {
            let address = self.address()?;
            tracing::info!(%address, "HTTPS port open");
            self.accept(routes).await;
            Ok(())
        });
    }

    async fn accept(mut self, routes: Router) {
        // What was revoked since the port was opened must hold for the first caller.
        self.reloader.look().await;
        let Context { lifecycle, clock, .. } = self.context;
        let terms = Arc::new(Terms {
            routes,
            clock,
            tls: self.reloader.subscribe(),
            handshakes: self.handshakes,
            lifecycle: lifecycle.clone(),
        });
        lifecycle.track(self.reloader.run(lifecycle.soft().clone()));
        let next = async || {
            let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
            let (stream, address) = connect(&self.listener).await;
            Some((permit, stream, address))
        };
        while let Some(Some((permit, stream, address))) = lifecycle.soft().run_until_cancelled(next()).await {
            let terms = Arc::clone(&terms);
            lifecycle.track(async move {
                connection::serve(stream, address, &terms).await;
                drop(permit);
            });
        }
    }
}

async fn connect(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
