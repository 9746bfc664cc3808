//! A loopback proxy that does to a connection what networks, servers and power cuts do, when a test says so.
//!
//! It stands between a service and the store, the bus or the database, or between dock and ingest. Everything that passes is
//! counted and named, so that a test can say "the third `PutObject` of a manifest":
//!
//! ```no_run
//! use custos_tests::proxy::{Fault, Kind, Proxy, Rule};
//!
//! # async fn test(store: &str) -> anyhow::Result<()> {
//! let proxy = Proxy::start(store, Kind::S3).await?;
//! let planned = proxy.plan(Rule::new(Fault::DropReply).on("PutObject").key("manifests/").nth(3))?;
//! // … start a service with `CUSTOS_S3_ENDPOINT` at `proxy.url()` and let it work …
//! planned.fired().await;
//! println!("{}", proxy.report());
//! # Ok(())
//! # }
//! ```
//!
//! 1. [`Rule`], [`Fault`], [`Rewrite`]: what is to happen, and when.
//! 2. [`Proxy`]: planning it, and looking at what passed ([`Seen`]).
//! 3. `s3`: requests of the store, whole HTTP exchanges (hyper); `operation` names them, `rewrite` changes answers.
//! 4. `wire`: streams of bytes and of messages; `nats` and `postgres` find where a message ends; `lane` changes the bytes.
//!
//! For faults below HTTP on the store's connections, put a [`Kind::Bytes`] proxy before the [`Kind::S3`] one.

mod lane;
mod nats;
mod operation;
mod plan;
mod postgres;
mod rewrite;
mod rule;
mod s3;
#[cfg(test)]
mod tests;
mod wire;

use std::{fmt::Write, net::SocketAddr, sync::Arc};

use anyhow::{Context, ensure};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

pub use plan::{Planned, Seen};
pub use rule::{Fault, Rewrite, Rule, Side};

use plan::Shared;

/// What is spoken on the connections, and so what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything, TLS too. Counted: connections, named `Connection`.
    Bytes,
    /// S3 over plain HTTP/1.1. Counted: requests, named as S3 names its operations, with `bucket/key`.
    S3,
    /// The NATS client protocol. Counted: `PUB` and `HPUB` of the client, with their subject.
    Nats,
    /// The PostgreSQL protocol without TLS. Counted: `Query`, `Parse`, `Execute` and `Sync` of the client after the start-up,
    /// with the statement.
    Postgres,
}

/// A running proxy; it ends, and cuts all its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    kind: Kind,
    shared: Arc<Shared>,
    listener: AbortHandle,
}

impl Proxy {
    /// Listens on a free loopback port and passes everything on to `target`, `host:port`.
    pub async fn start(target: &str, kind: Kind) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listening for the proxy")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accept = accept(listener, target.to_owned(), kind, Arc::clone(&shared));
        Ok(Self { address, kind, shared, listener: tokio::spawn(accept).abort_handle() })
    }

    /// `host:port` for those who are to go through the proxy.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The same as the services want it for what is spoken here.
    pub fn url(&self) -> String {
        let scheme = match self.kind {
            Kind::Bytes => "https",
            Kind::S3 => "http",
            Kind::Nats => "nats",
            Kind::Postgres => "postgres",
        };
        format!("{scheme}://{}", self.address)
    }

    /// Plans a fault. Of several rules that fit the same request, the one planned first strikes; all of them count it.
    ///
    /// Fails when what is spoken here has no place for it, such as a header on the bus.
    pub fn plan(&self, rule: Rule) -> anyhow::Result<Planned> {
        ensure!(rule.fault.fits(self.kind), "a {:?} proxy cannot do: {}", self.kind, rule.fault);
        Ok(self.shared.plan(rule))
    }

    /// Forgets every rule, and closes the connections on which one still holds something back.
    pub fn clear(&self) {
        self.shared.clear();
    }

    /// Cuts every connection there is now; new ones are taken.
    pub fn cut_all(&self) {
        self.shared.cut_all();
    }

    /// Everything that passed so far, in the order in which it began.
    pub fn log(&self) -> Vec<Seen> {
        self.shared.log()
    }

    /// Forgets what passed so far; numbers go on.
    pub fn forget(&self) {
        self.shared.forget();
    }

    /// The log for people, one line for each thing that passed.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for seen in self.log() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{seen}");
        }
        text
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn accept(listener: TcpListener, target: String, kind: Kind, shared: Arc<Shared>) {
    // Dropped, and all links with it, when the proxy aborts this task.
    let mut links = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while links.try_join_next().is_some() {}
        let (target, shared) = (target.clone(), Arc::clone(&shared));
        links.spawn(async move {
            let _ = client.set_nodelay(true);
            tokio::select! {
                () = link(client, &target, kind, &shared) => {}
                () = shared.cut() => {}
            }
        });
    }
}

async fn link(client: TcpStream, target: &str, kind: Kind, shared: &Arc<Shared>) {
    match kind {
        Kind::S3 => s3::serve(client, target, shared).await,
        _ => wire::serve(client, target, kind, shared).await,
    }
}
