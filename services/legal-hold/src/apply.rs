//! The reconciler: brings what is decided into the store, reads it back, and keeps it there.
//!
//! It takes no input. For each item whose time has come it reads what is wanted (does any reason stand?), what was last read back
//! and what is there, and does what [`plan`](crate::plan) says; a crash anywhere is followed by another look that finds the rest
//! undone. The next look is the retry.
//!
//! **Off is the dangerous word.** A hold is switched off only when no reason stands in the database, none in the custody log that
//! a restored database may have forgotten, and while the lease is still ours and nothing was decided since it was taken. Should a
//! process be stopped between that last question and the call, whoever took over has the item read again past the settle time.

use std::{sync::Arc, time::Duration};

use custos_domain::{
    calendar,
    fact::{Act, Fact, IncidentClass},
    manifest::StoredObject,
};
use custos_platform::{
    db::outbox,
    item::{AT_ONCE, StoredItem},
    vault::StoreError,
};
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, FuturesUnordered},
};
use tokio::time::Instant;

use crate::{
    LegalHold,
    error::LegalHoldError,
    facts::{self, Happened},
    hold::Hold,
    ledger::leases::{Lease, Next},
    metrics,
    plan::{Applied, Found, Plan, Then, plan},
};

/// Items dealt with side by side, and taken at once: none waits with its lease running.
const SIDE_BY_SIDE: usize = 8;
/// How long the next items wait for those under way: somebody who reads an original slowly delays its hold alone.
const PATIENCE: Duration = Duration::from_secs(1);
/// Routine looks in one round, so that the store is not kept busy with them: some 50,000 in an hour.
const ROUTINE: usize = 32;
/// How long an item is left to the one who took it without a word from them: after a crash it waits this long. A slow reader can
/// delay a hold on MinIO for minutes (tried), so who is still at it says so.
const LEASE: Duration = Duration::from_secs(15);
/// How often the one who is still at it says so.
const RENEW: Duration = Duration::from_secs(5);
/// How soon an item is looked at again that is still to get a seal or a permit.
const INCOMPLETE: Duration = Duration::from_mins(5);
/// The age at which nothing more is expected for an item.
const FRESH: Duration = Duration::from_hours(24);
/// The longest pause after failures.
const LONGEST: Duration = Duration::from_mins(5);

impl LegalHold {
    /// Deals with every item whose time has come.
    pub async fn reconcile(self: &Arc<Self>) -> Result<(), LegalHoldError> {
        let (mut routine, mut looks) = (0, FuturesUnordered::new());
        loop {
            let free = SIDE_BY_SIDE.saturating_sub(looks.len());
            if free > 0 && !self.lifecycle.is_draining() {
                match self.due(free, &mut routine).await {
                    Ok(leases) => looks.extend(leases.into_iter().map(|lease| self.look(lease))),
                    Err(error) => {
                        // None is broken off in the middle.
                        looks.for_each(async |()| {}).await;
                        return Err(error.into());
                    }
                }
            }
            if looks.is_empty() {
                break;
            }
            let all = async { while looks.next().await.is_some() {} };
            // Who is not done by then goes on beside the next ones.
            let _ = tokio::time::timeout(PATIENCE, all).await;
        }
        for routine in [false, true] {
            let (items, seconds) = self.ledger.waiting(routine).await?;
            metrics::waiting(routine, u64::try_from(items).unwrap_or_default(), seconds);
        }
        Ok(())
    }

    /// Items whose time has come; routine looks when nobody waits for one, and only so many in a round.
    async fn due(&self, free: usize, routine: &mut usize) -> sqlx::Result<Vec<Lease>> {
        let free = i64::try_from(free).unwrap_or(i64::MAX);
        let mut leases = self.ledger.take_due(false, free, LEASE).await?;
        if leases.is_empty() && *routine < ROUTINE {
            leases = self.ledger.take_due(true, free, LEASE).await?;
            *routine += leases.len();
        }
        Ok(leases)
    }

    /// One bad item must not stop the round for the others.
    async fn look(&self, lease: Lease) {
        let outcome = tokio::select! {
            outcome = self.apply(&lease) => outcome,
            () = self.lost(&lease) => Err(LegalHoldError::LeaseLost),
        };
        let given_back = match outcome {
            Ok(()) => return,
            Err(LegalHoldError::LeaseLost) => self.ledger.let_go(&lease).await,
            Err(error) => {
                metrics::look_failed();
                tracing::warn!(item = %lease.item.code, error = %error, "the hold of an item could not be brought up to date");
                let pause = Duration::from_secs(1).saturating_mul(1 << lease.failures.min(16)).min(LONGEST);
                self.ledger.give_up(&lease, &error.told(), pause).await
            }
        };
        if let Err(error) = given_back {
            // The lease runs out by itself.
            tracing::warn!(item = %lease.item.code, error = %error, "the item could not be given back");
        }
    }

    /// Renews the lease, and completes when it is not ours any more, or we cannot tell.
    async fn lost(&self, lease: &Lease) {
        let mut renewed = Instant::now();
        while renewed.elapsed() < LEASE {
            tokio::time::sleep(RENEW).await;
            match tokio::time::timeout(RENEW, self.ledger.renew(lease, LEASE)).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => break,
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }

    async fn apply(&self, lease: &Lease) -> Result<(), LegalHoldError> {
        let Some(item) = StoredItem::find(&self.vault, &lease.item.code).await? else {
            let gone = vec!["the manifest is gone".to_owned()];
            self.report(lease, None, &[(IncidentClass::StoreFault, gone)]).await?;
            return Err(LegalHoldError::ManifestGone);
        };
        let found = self.held(&item.objects).await?;
        let (holds, plan) = self.plan(lease, &found).await?;
        let drifted = plan.drifted.iter().cloned().chain(item.disturbances()).collect();
        let wrong = [(IncidentClass::LockDrift, drifted), (IncidentClass::StoreFault, plan.gone.clone())];
        // Before it is put right: a crash in between would hide it for ever.
        self.report(lease, Some(&item), &wrong).await?;
        let on = wanted(&holds);
        self.switch(lease, &plan.switch, on).await?;
        self.record(lease, &item, &holds, &plan, &found).await
    }

    /// What to do. When the answer is to switch off, the custody log is asked whether it knows of a reason that we do not.
    async fn plan(&self, lease: &Lease, found: &[Found]) -> Result<(Vec<Hold>, Plan), LegalHoldError> {
        let mut holds = self.ledger.holds_on(&lease.item.code).await?;
        let now = self.clock.now();
        let first = plan(wanted(&holds), lease.applied.as_ref(), found, now, self.settle);
        if wanted(&holds) || first.switch.is_empty() {
            return Ok((holds, first));
        }
        self.recover(&lease.item).await?;
        holds = self.ledger.holds_on(&lease.item.code).await?;
        let second = plan(wanted(&holds), lease.applied.as_ref(), found, now, self.settle);
        Ok((holds, second))
    }

    async fn held(&self, objects: &[StoredObject]) -> Result<Vec<Found>, StoreError> {
        let read = stream::iter(objects.to_vec()).map(async |object| {
            let held = match self.vault.is_held(&object).await {
                Ok(held) => Some(held),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(error),
            };
            Ok(Found { object, held })
        });
        read.buffered(AT_ONCE).try_collect().await
    }

    async fn switch(&self, lease: &Lease, objects: &[StoredObject], on: bool) -> Result<(), LegalHoldError> {
        for object in objects {
            if !on && !self.ledger.is_current(lease).await? {
                return Err(LegalHoldError::LeaseLost);
            }
            self.vault.set_hold(object, on).await?;
            tracing::info!(key = object.key, version = object.version, on, "hold switched in the store");
            metrics::switched(on);
        }
        Ok(())
    }

    async fn report(
        &self,
        lease: &Lease,
        item: Option<&StoredItem>,
        wrong: &[(IncidentClass, Vec<String>)],
    ) -> Result<(), LegalHoldError> {
        let mut incidents: Vec<Fact> = Vec::new();
        for (class, details) in wrong.iter().filter(|(_, details)| !details.is_empty()) {
            let detail = details.join("; ");
            tracing::error!(item = %lease.item.code, class = class.as_str(), detail, "the store does not keep what it must");
            metrics::drifted(*class);
            // Stated once a day for as long as it lasts.
            let discriminator = format!("legal-hold/{}/{detail}", calendar::day(self.clock.now()));
            incidents.push(self.fact_now(lease, item, Act::IncidentOpened { class: *class, detail }, &discriminator));
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

    async fn record(
        &self,
        lease: &Lease,
        item: &StoredItem,
        holds: &[Hold],
        plan: &Plan,
        found: &[Found],
    ) -> Result<(), LegalHoldError> {
        let (on, now) = (wanted(holds), self.clock.now());
        let objects = found.iter().filter(|found| found.held.is_some()).map(|found| found.object.clone()).collect();
        let at = lease.applied.as_ref().filter(|_| plan.then != Then::Applied).map_or(now, |applied| applied.at);
        let settled = matches!(plan.then, Then::Settled | Then::AsBefore);
        let applied = Applied { on, at, settled, objects };
        let mut next = self.next(plan.then, on, item);
        if on && self.remind(lease, item, holds).await {
            next = next.map(|next| Next { after: next.after.min(crate::remind::PATIENCE), routine: false });
        }
        let mut tx = self.ledger.begin().await?;
        if !self.ledger.give_back(&mut tx, lease, &applied, now, next).await? {
            return Err(LegalHoldError::LeaseLost);
        }
        let news = matches!(plan.then, Then::Applied | Then::Settled) && !applied.objects.is_empty();
        if news {
            outbox::put(&mut tx, &self.applied_fact(lease, item, holds, &applied)).await?;
        }
        tx.commit().await?;
        self.relay.now();
        Ok(())
    }

    /// When to look again; never, once a hold that ended is settled.
    fn next(&self, then: Then, on: bool, item: &StoredItem) -> Option<Next> {
        let age = Duration::try_from(self.clock.now().duration_since(item.manifest.ingested_at)).unwrap_or_default();
        match then {
            Then::Applied => Some(Next { after: self.settle.max(Duration::from_secs(1)), routine: false }),
            Then::Waiting(left) => Some(Next { after: left, routine: false }),
            Then::Settled | Then::AsBefore if !on => None,
            Then::Settled | Then::AsBefore if item.complete || age > FRESH => {
                Some(Next { after: self.audit_every, routine: true })
            }
            Then::Settled | Then::AsBefore => Some(Next { after: self.audit_every.min(INCOMPLETE), routine: true }),
        }
    }

    /// The same reasons on the same versions are one fact, however often they are applied.
    fn applied_fact(&self, lease: &Lease, item: &StoredItem, holds: &[Hold], applied: &Applied) -> Fact {
        let reasons: Vec<String> = holds.iter().map(|hold| format!("{}:{}", hold.id, hold.stage().stands())).collect();
        let versions: Vec<String> = applied.objects.iter().map(|o| format!("{}@{}", o.key, o.version)).collect();
        let Applied { on, settled, .. } = applied;
        let discriminator = format!("{on}/{settled}/{}/{}", reasons.join(","), versions.join(","));
        let act = Act::HoldApplied { on: *on, settled: *settled, objects: applied.objects.clone() };
        let mut fact = self.fact_now(lease, Some(item), act, &discriminator);
        // On because of the newest reason that stands; off because of the last one that ended.
        let newest = holds.iter().filter(|hold| hold.stage().stands() == *on);
        let newest = newest.max_by_key(|hold| hold.released.as_ref().map_or(hold.placed_at, |step| step.at));
        let act = if *on { "hold_placed" } else { "hold_released" };
        fact.cause = newest.map(|hold| facts::id_of_step(&lease.item, act, hold));
        fact
    }

    fn fact_now(&self, lease: &Lease, item: Option<&StoredItem>, act: Act, discriminator: &str) -> Fact {
        let happened = Happened { act, at: self.clock.now() };
        let mut fact = facts::fact(&lease.item, &happened, &facts::service(), discriminator);
        // One item is one trace, whatever sweep found it.
        if let Some(item) = item {
            fact.trace.clone_from(&item.manifest.trace);
        }
        fact
    }
}

/// On, while at least one reason stands.
fn wanted(holds: &[Hold]) -> bool {
    holds.iter().any(|hold| hold.stage().stands())
}
