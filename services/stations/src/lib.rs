//! Stations (採集站): the register of those that may hand in footage, and the authority that signs their certificates.
//!
//! A person registers a station and is given a one-time code; the dock makes its own key, and gets for code and request a
//! certificate of some days, which it renews by itself. A revocation is in the signed register in the store within a moment, where
//! ingest finds it. Every step is decided in one database transaction, with its fact. In reading order:
//!
//! 1. [`code`], [`request`], [`authority`]: pure but for the files of the authority: what is typed, asked for and signed.
//! 2. [`ledger`]: the database. [`facts`]: what is stated.
//! 3. [`register`], [`codes`], [`revoke`], [`show`]: what people do; [`view`]: what they see.
//! 4. [`enrol`], [`renew`]: what stations do. [`attempts`]: how often somebody may be wrong.
//! 5. [`publish`]: the signed register in the store, which ingest reads; `recover`: what a lost database knew.

pub mod attempts;
pub mod authority;
pub mod code;
pub mod codes;
pub mod enrol;
mod error;
pub mod facts;
pub mod ledger;
mod metrics;
pub mod publish;
mod recover;
pub mod register;
pub mod renew;
pub mod request;
pub mod revoke;
mod routes;
mod serve;
pub mod show;
pub mod view;

use std::sync::Arc;

use custos_platform::{clock::Clock, http::tls::Revocations, signer::Signer, sweep::Trigger, vault::Vault};
use jiff::SignedDuration;
use tokio::sync::watch;

pub use error::StationsError;
pub use routes::Api;
pub use serve::{Args, serve};

use crate::{attempts::Attempts, authority::Authority, ledger::Ledger};

/// Everything the verbs share.
#[derive(Debug)]
pub struct Stations {
    vault: Vault,
    ledger: Ledger,
    authority: Authority,
    signer: Signer,
    clock: Clock,
    attempts: Attempts,
    /// Makes the outbox's relay look now.
    relay: Trigger,
    /// Makes the publisher look now.
    publisher: Trigger,
    /// Whom the published register refuses, for our own port.
    revocations: watch::Sender<Revocations>,
    /// How long a certificate is good.
    lifetime: SignedDuration,
    /// How long a code is good.
    code_lifetime: SignedDuration,
    /// How old the register in the store may become before it is signed again.
    fresh: SignedDuration,
}

impl Stations {
    /// Something was decided: the log is to be told, and the register to be changed, at once.
    fn wake(&self) {
        self.relay.now();
        self.publisher.now();
    }
}

type Shared = Arc<Stations>;
