use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use custos_domain::manifest::StoredObject;
use custos_proto::Announcement;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bus::{Delivered, topology::ACK_WAIT};

/// The bus needs to hear of progress no more often than this: three times in its patience.
const PROGRESS_EVERY: Duration = Duration::from_secs(ACK_WAIT.as_secs() / 3);

/// One announcement to act on.
#[derive(Debug)]
pub struct Delivery {
    announcement: Announcement,
    delivered: Arc<Delivered>,
    soft: CancellationToken,
    told: Mutex<Instant>,
}

impl Delivery {
    pub(super) fn new(announcement: Announcement, delivered: Arc<Delivered>, soft: CancellationToken) -> Self {
        Self { announcement, delivered, soft, told: Mutex::new(Instant::now()) }
    }

    /// What was announced. A wake-up call: the truth is in the store, at [`Delivery::object`].
    pub fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    /// Where the fact lies.
    pub fn object(&self) -> &StoredObject {
        &self.announcement.object
    }

    /// How often it was delivered, this time included.
    pub fn deliveries(&self) -> u32 {
        self.delivered.deliveries()
    }

    /// Keeps the message from being given to somebody else. Call it when something has moved on (bytes read, output time
    /// advanced) and never by a timer: what hangs has to be delivered again. As often as you like; the bus hears of it three times a minute.
    pub async fn progress(&self) {
        if self.is_due() {
            self.delivered.progress().await;
        }
    }

    /// Whether the service is to stop. Long work should end with [`Fault::retry`](super::Fault::retry); somebody else takes it up
    /// at once.
    pub fn is_stopping(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Completes when the service is to stop.
    pub async fn stopping(&self) {
        self.soft.cancelled().await;
    }

    fn is_due(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.elapsed() >= PROGRESS_EVERY;
        if due {
            *told = Instant::now();
        }
        due
    }
}
