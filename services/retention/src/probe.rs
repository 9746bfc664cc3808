//! Every night the store is tried again: an upgrade, a changed setting or a drive may have taken what it once kept.
//!
//! What broke since is an incident of each agency, for the store is everybody's. Something mandatory is stated once a day for as
//! long as it lasts; an advisory weakness when it is new, compared with the report recorded in the store.

use custos_domain::{
    calendar,
    fact::{Act, Actor, Fact, IncidentClass, Subject, fact_id},
    ids::TenantId,
};
use custos_platform::{
    db::outbox,
    vault::probe::{Finding, Report, Verdict},
};

use crate::{Retention, error::RetentionError, metrics};

impl Retention {
    /// One probe: states what broke, records what was found, and tidies up. May run anywhere, also twice at once.
    pub async fn probe_store(&self) -> Result<(), RetentionError> {
        let report = self.vault.probe(self.store_mode, &self.clock).await?;
        if report.verdict() == Verdict::Undecided {
            tracing::warn!("the store went away while it was tried; the next probe will tell");
            return Ok(());
        }
        let before = self.vault.last_report().await?;
        let news = report.news(before.as_ref());
        self.state_broken(&report, &news).await?;
        tracing::info!(broken = news.len(), took_ms = report.took_ms, "the store was tried");
        // Only what has been stated may be forgotten.
        self.vault.record_report(&report).await?;
        self.vault.tend_canaries(&self.clock).await?;
        let tidied = self.vault.tidy_probe(&self.clock).await?;
        tracing::debug!(tidied.removed, tidied.left, "tidied the probe bucket");
        Ok(())
    }

    async fn state_broken(&self, report: &Report, news: &[&Finding]) -> Result<(), RetentionError> {
        if news.is_empty() {
            return Ok(());
        }
        let mut tx = self.ledger.begin().await?;
        for finding in news {
            tracing::error!(
                check = finding.id,
                seen = finding.outcome.seen(),
                "the store does not do what it must, or once did"
            );
            metrics::drifted(IncidentClass::StoreFault);
            for policy in self.policies.iter() {
                outbox::put(&mut tx, &incident(report, finding, &policy.tenant)).await?;
            }
        }
        tx.commit().await?;
        self.relay.now();
        Ok(())
    }
}

/// The same finding of the same day is one incident.
fn incident(report: &Report, finding: &Finding, tenant: &TenantId) -> Fact {
    let subject = Subject::Store { day: calendar::day(report.at) };
    let detail = format!("capability probe, {} mode: {}", report.mode, finding.complaint());
    let act = Act::IncidentOpened { class: IncidentClass::StoreFault, detail };
    Fact {
        id: fact_id(act.name(), &subject, &format!("probe/{tenant}/{}", finding.id)),
        at: report.at,
        tenant: tenant.clone(),
        unit: None,
        actor: Actor::Service { name: "retention".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        cause: None,
        subject,
        act,
        trace: custos_platform::telemetry::current_traceparent(),
    }
}
