//! The one verb: look at an item, and leave it as it ought to be.
//!
//! Takes no input but the item: what is owed is read from policy, ledger and custody log, what is there from the store. So it
//! does not matter which announcement led here, how often, or whether one was lost; the auditor does the same later.
//!
//! **Order.** The store first, then ledger and outbox in one transaction, then (by the outbox's relay) the log and the bus.
//! A crash after the store leaves a lock that is longer than recorded: safe, and found in order by the next look, which records
//! it. The other way round the log would say, under a lock of ten years, that a lock stands which may not. What the next look
//! must not miss is an incident: drift is recorded *before* it is put right, or a crash in between would hide it for ever.

use std::time::Duration;

use custos_domain::{
    calendar,
    fact::{Act, Actor, Fact, IncidentClass, Subject, fact_id},
    hold::HoldReason,
    ids::{FactId, HoldId},
    item::UnifiedCode,
    manifest::StoredObject,
    policy::Obligation,
};
use custos_platform::{
    db::outbox,
    item::{AT_ONCE, StoredItem},
    vault::{StoreError, skew},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Retention,
    decide::{self, Found, Gap, Lock, Recorded, Standing},
    error::RetentionError,
    history::Confirmation,
    ledger::{Entry, Update},
    metrics,
};

impl Retention {
    /// Looks at an item.
    pub async fn look(&self, code: &UnifiedCode) -> Result<(), RetentionError> {
        let mut item = self.find(code).await?;
        let entry = self.ledger.find(code).await?;
        let owed = self.owed(&item, entry.as_ref()).await?;
        let mut found = self.locks(&item.objects).await?;
        let recorded = entry.as_ref().map(|entry| &entry.recorded);
        let gap = Gap::between(&found, owed.wanted, recorded, self.clock.now());
        self.report(&item, &gap).await?;
        let mut short = gap.short.clone();
        for _ in 0..ROUNDS {
            if short.is_empty() {
                break;
            }
            self.extend(&item, &short, owed.wanted).await?;
            // A seal or permit written meanwhile may have been given the original's old date.
            item = self.find(code).await?;
            found = self.locks(&item.objects).await?;
            short = Gap::between(&found, owed.wanted, None, self.clock.now()).short;
        }
        self.record(&item, entry.as_ref(), &owed, &gap, &found).await?;
        // What is known is done; the rest takes another look.
        owed.unplaced.map_or(Ok(()), |hold| Err(RetentionError::Unplaced(hold)))
    }

    async fn find(&self, code: &UnifiedCode) -> Result<StoredItem, RetentionError> {
        StoredItem::find(&self.vault, code).await?.ok_or(RetentionError::NotDeposited)
    }

    /// What is owed: decided before (by the ledger, or by the log where the ledger is empty), and new.
    async fn owed(&self, item: &StoredItem, entry: Option<&Entry>) -> Result<Owed, RetentionError> {
        let manifest = &item.manifest;
        let policy = self.policies.get(&manifest.code.key().tenant)?;
        let before = if let Some(entry) = entry {
            entry.standing.clone()
        } else {
            let stated = self.history.stated(&manifest.code, manifest.ingested_at).await?;
            decide::restored(policy, manifest.ingested_at, stated)
        };
        let (confirmed, unplaced) = self.history.confirmations(&manifest.code, manifest.ingested_at).await?;
        let reasons: Vec<HoldReason> = confirmed.iter().map(|confirmation| confirmation.reason.clone()).collect();
        let new = decide::newly_owed(policy, manifest.ingested_at, &before, &reasons);
        let all: Vec<Standing> = before.into_iter().chain(new.iter().cloned()).collect();
        let wanted = decide::wanted(&all).unwrap_or_else(|| policy.floor_until(manifest.ingested_at));
        Ok(Owed { all, new, confirmed, unplaced, wanted: policy.horizon.years.clamp(manifest.ingested_at, wanted) })
    }

    async fn locks(&self, objects: &[StoredObject]) -> Result<Vec<Found>, StoreError> {
        let read = stream::iter(objects.to_vec()).map(async |object| {
            let lock = match self.vault.lock_of(&object).await {
                Ok(Some(until)) => Lock::Until(until),
                Ok(None) => Lock::None,
                Err(error) if error.is_not_found() => Lock::Gone,
                Err(error) => return Err(error),
            };
            Ok(Found { object, lock })
        });
        read.buffered(AT_ONCE).try_collect().await
    }

    /// States what is wrong, before anything is put right.
    async fn report(&self, item: &StoredItem, gap: &Gap) -> Result<(), RetentionError> {
        let drifted: Vec<String> = gap.drifted.iter().cloned().chain(item.disturbances()).collect();
        let wrong = [(IncidentClass::LockDrift, drifted), (IncidentClass::StoreFault, gap.gone.clone())];
        let mut incidents = Vec::new();
        for (class, details) in wrong.into_iter().filter(|(_, details)| !details.is_empty()) {
            let detail = details.join("; ");
            tracing::error!(item = %item.manifest.code, class = class.as_str(), detail, "the store does not keep what it must");
            metrics::drifted(class);
            // Stated once a day for as long as it lasts.
            let discriminator = format!("retention/{}/{detail}", calendar::day(self.clock.now()));
            incidents.push(self.fact(item, Act::IncidentOpened { class, detail }, &discriminator, None));
        }
        if incidents.is_empty() {
            return Ok(());
        }
        let mut tx = self.ledger.begin().await?;
        for incident in &incidents {
            outbox::put(&mut tx, incident).await?;
        }
        tx.commit().await?;
        self.relay.now();
        Ok(())
    }

    async fn extend(&self, item: &StoredItem, short: &[StoredObject], until: Timestamp) -> Result<(), RetentionError> {
        if short.is_empty() {
            return Ok(());
        }
        // Every date is counted from the ingest time, and none can be taken back.
        let ingested_at = item.manifest.ingested_at;
        if ingested_at > skew::trusted_now(&self.vault, &self.clock).await? + skew::MAX_SKEW {
            return Err(RetentionError::Future(ingested_at));
        }
        for object in short {
            let stands = self.vault.extend_lock(object, until).await?;
            tracing::info!(key = object.key, version = object.version, %stands, "lock extended");
            metrics::extended();
        }
        Ok(())
    }

    async fn record(
        &self,
        item: &StoredItem,
        entry: Option<&Entry>,
        owed: &Owed,
        gap: &Gap,
        held: &[Found],
    ) -> Result<(), RetentionError> {
        let now = self.clock.now();
        let objects: Vec<StoredObject> = held
            .iter()
            .filter(|found| found.lock != Lock::Gone && (owed.wanted <= now || found.reaches(owed.wanted)))
            .map(|found| found.object.clone())
            .collect();
        let stands =
            held.iter().filter_map(|found| if let Lock::Until(until) = found.lock { Some(until) } else { None });
        let stands = stands.min();
        let changed = entry.is_none() || !owed.new.is_empty() || !gap.short.is_empty();
        let settled = !changed && entry.is_some_and(|entry| since(entry.changed_at, now) >= self.settle);
        let pause = if settled { self.audit_every } else { self.settle.max(MIN_PAUSE) };
        let update = Update {
            item,
            standing: &owed.all,
            recorded: Recorded { until: owed.wanted, objects: objects.clone() },
            now,
            changed,
            confirmed: settled && gap.gone.is_empty(),
            look_at: now + SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX),
            routine: settled,
        };
        let mut facts: Vec<Fact> = Vec::new();
        for standing in owed.to_state(late(entry, gap)) {
            // With every version gone there is no lock to speak of, only the incident.
            let Some(until) = stands else { break };
            let act = Act::LockExtended {
                until,
                obligation: standing.obligation.clone(),
                policy_version: standing.policy_version,
                objects: objects.clone(),
            };
            let cause = self.cause(item, owed, standing).await?;
            facts.push(self.fact(item, act, &discriminator(standing, &objects), cause));
        }
        let mut tx = self.ledger.begin().await?;
        self.ledger.record(&mut tx, &update).await?;
        for fact in &facts {
            outbox::put(&mut tx, fact).await?;
        }
        tx.commit().await?;
        self.relay.now();
        Ok(())
    }

    /// What led to an obligation, whatever led to this look.
    async fn cause(
        &self,
        item: &StoredItem,
        owed: &Owed,
        standing: &Standing,
    ) -> Result<Option<FactId>, RetentionError> {
        if let Obligation::Permanent { cite, .. } = &standing.obligation {
            let confirmed = owed.confirmed.iter().find(|confirmation| confirmation.reason.cite == *cite);
            return Ok(confirmed.map(|confirmation| confirmation.fact.clone()));
        }
        Ok(self.history.sealed(&item.manifest.code, item.manifest.ingested_at).await?)
    }

    fn fact(&self, item: &StoredItem, act: Act, discriminator: &str, cause: Option<FactId>) -> Fact {
        let manifest = &item.manifest;
        let subject = Subject::item(&manifest.code, manifest.ingested_at);
        Fact {
            id: fact_id(act.name(), &subject, discriminator),
            at: self.clock.now(),
            tenant: manifest.code.key().tenant.clone(),
            unit: Some(manifest.unit.clone()),
            actor: Actor::Service { name: "retention".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            cause,
            subject,
            act,
            trace: manifest.trace.clone(),
        }
    }
}

/// How often versions that appeared meanwhile are followed up at once; what comes later is found by the next look.
const ROUNDS: usize = 3;
/// The shortest time between two looks at one item.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// What is owed to one item.
struct Owed {
    all: Vec<Standing>,
    new: Vec<Standing>,
    confirmed: Vec<Confirmation>,
    /// A hold that was confirmed, with a reason that is still on its way to the log.
    unplaced: Option<HoldId>,
    wanted: Timestamp,
}

impl Owed {
    /// What must be stated: every new obligation; and where only the versions are new, the obligation with the longest lock
    /// again, since now it holds for them as well.
    fn to_state(&self, late: bool) -> impl Iterator<Item = &Standing> {
        let longest = self.all.iter().max_by_key(|standing| standing.until).filter(|_| late && self.new.is_empty());
        self.new.iter().chain(longest)
    }
}

/// Whether a version was extended that was not there at the last look: a seal or permit that came later.
fn late(entry: Option<&Entry>, gap: &Gap) -> bool {
    entry.is_some_and(|entry| gap.short.iter().any(|object| !entry.recorded.objects.contains(object)))
}

/// The same obligation on the same versions is one fact, however often it is decided.
fn discriminator(standing: &Standing, objects: &[StoredObject]) -> String {
    let versions: Vec<String> = objects.iter().map(|object| format!("{}@{}", object.key, object.version)).collect();
    let Standing { obligation, policy_version, until } = standing;
    format!("{policy_version}/{}/{until}/{}", obligation.cite(), versions.join(","))
}

fn since(earlier: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(earlier)).unwrap_or_default()
}
