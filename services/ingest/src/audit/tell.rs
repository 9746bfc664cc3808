//! Whose a finding is, and its incident.

use custos_domain::{
    calendar,
    fact::{Act, Fact, IncidentClass, Subject},
    ids::{TenantId, UnitPath},
    item::{ItemKey, UnifiedCode},
    keys,
    manifest::Manifest,
};

use super::{Finding, Kind, Walk};
use crate::{Ingest, error::IngestError, metrics, session::Session};

/// The agency above all agencies: what belongs to none is for its auditor, as `records` lets that one see everything.
const PROVINCE: &str = "PROVINCE";

/// Whose a finding is.
struct Whose {
    tenant: TenantId,
    unit: Option<UnitPath>,
    subject: Subject,
}

impl Walk {
    /// Tells of a finding when it is known whose it is, else keeps it until the manifests were read.
    pub(super) async fn report(&mut self, ingest: &Ingest, finding: Finding) -> Result<(), IngestError> {
        if let Some(whose) = whose(ingest, &finding.object.key).await? {
            return incident(ingest, &finding, whose).await;
        }
        match keys::upload_of(&finding.object.key) {
            Some(upload) => self.nameless.entry(upload).or_default().push(finding),
            None => self.tell_nameless(ingest, &finding).await?,
        }
        Ok(())
    }

    /// Tells of a finding about the original of a manifest.
    pub(super) async fn tell_of(
        &self,
        ingest: &Ingest,
        finding: &Finding,
        manifest: &Manifest,
    ) -> Result<(), IngestError> {
        incident(ingest, finding, Whose::of(manifest)).await
    }

    /// Tells of a finding that belongs to no item: by its upload, or by its key alone.
    pub(super) async fn tell_nameless(&self, ingest: &Ingest, finding: &Finding) -> Result<(), IngestError> {
        let session = match keys::upload_of(&finding.object.key) {
            Some(upload) => ingest.sessions.load(&upload).await?.map(|held| held.session),
            None => None,
        };
        let whose = match (session, keys::upload_of(&finding.object.key)) {
            (Some(session), _) => Whose::upload(&session),
            (None, Some(upload)) => Whose { tenant: province()?, unit: None, subject: Subject::Upload { upload } },
            (None, None) => {
                let day = calendar::day(ingest.clock.now());
                Whose { tenant: province()?, unit: None, subject: Subject::Catalogue { day } }
            }
        };
        incident(ingest, finding, whose).await
    }
}

impl Whose {
    fn of(manifest: &Manifest) -> Self {
        Self {
            tenant: manifest.code.key().tenant.clone(),
            unit: Some(manifest.unit.clone()),
            subject: Subject::item(&manifest.code, manifest.ingested_at),
        }
    }

    fn upload(session: &Session) -> Self {
        Self {
            tenant: session.tenant().clone(),
            unit: Some(session.basis.origin().unit.clone()),
            subject: Subject::Upload { upload: session.upload.clone() },
        }
    }
}

/// Whose an object is, as far as its key and its session tell.
async fn whose(ingest: &Ingest, key: &str) -> Result<Option<Whose>, IngestError> {
    if let Some(item) = keys::item_of(key) {
        let known = manifest(ingest, &item).await?.map(|manifest| Whose::of(&manifest));
        let day = calendar::day(ingest.clock.now());
        let unknown = || Whose {
            tenant: item.tenant.clone(),
            unit: None,
            subject: Subject::Item { code: UnifiedCode::of(item.clone()), day },
        };
        return Ok(Some(known.unwrap_or_else(unknown)));
    }
    if let Some((tenant, subject)) = keys::subject_of(key) {
        let tenant = tenant.map_or_else(province, Ok)?;
        return Ok(Some(Whose { tenant, unit: None, subject }));
    }
    let Some(upload) = keys::upload_of(key) else { return Ok(None) };
    let Some(held) = ingest.sessions.load(&upload).await? else { return Ok(None) };
    let item = held.session.basis.item();
    let variant = held.session.basis.root().map(|root| item.variant_of(&root));
    for item in variant.into_iter().chain([item]) {
        let found = manifest(ingest, &item).await?;
        if let Some(manifest) = found.filter(|m| m.original.key == key || m.outboard.key == key) {
            return Ok(Some(Whose::of(&manifest)));
        }
    }
    Ok(Some(Whose::upload(&held.session)))
}

async fn manifest(ingest: &Ingest, item: &ItemKey) -> Result<Option<Manifest>, IngestError> {
    let document = ingest.vault.read_first(&ingest.vault.buckets().originals, &keys::manifest(item)).await?;
    // An unreadable one tells nothing; the walk over the manifests complains of it.
    Ok(document.and_then(|document| serde_json::from_slice(&document.bytes).ok()))
}

/// States the incident: once a day for each object, for as long as it lasts.
async fn incident(ingest: &Ingest, finding: &Finding, whose: Whose) -> Result<(), IngestError> {
    let Finding { kind, object } = finding;
    let class = match kind {
        Kind::Unlocked => IncidentClass::LockDrift,
        Kind::DeleteMarker | Kind::SecondVersion | Kind::Unreceipted => IncidentClass::ForeignVersion,
    };
    let detail = format!("{} (version {}) in {} {}", object.key, object.version, object.bucket, kind.explain());
    let today = calendar::day(ingest.clock.now());
    let discriminator = format!("audit/{}/{}/{}/{today}", kind.as_str(), object.bucket, object.key);
    let act = Act::IncidentOpened { class, detail };
    let fact = ingest.fact(whose.tenant, whose.subject, act, &discriminator);
    let (_, new) = ingest.state_once(Fact { unit: whose.unit, ..fact }).await?;
    if new {
        tracing::error!(key = object.key, kind = kind.as_str(), "a locked bucket holds what it should not");
        metrics::alarm(*kind);
    }
    Ok(())
}

fn province() -> Result<TenantId, IngestError> {
    TenantId::parse(PROVINCE).map_err(|e| IngestError::Internal(e.to_string()))
}
