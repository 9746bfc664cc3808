//! A subject's rows, written.

use custos_domain::ids::OfficerId;
use sqlx::{PgTransaction, types::Json};

use super::{
    Moment,
    listed::{self, DOCKINGS, INCIDENTS, INGESTED, STARTED, Standing},
};
use crate::fold::{DockingRecord, IncidentRecord, ItemRecord, Pending, Projection};

/// Writes all rows of one subject. Facts are never taken back, so neither are rows; only steps that are no longer waited for go.
pub(super) async fn write(tx: &mut PgTransaction<'_>, subject: &str, rows: &Projection) -> sqlx::Result<()> {
    if let Some(item) = &rows.item {
        write_item(tx, item).await?;
        write_pending(tx, &item.code.to_string(), &rows.pending).await?;
    }
    if let Some(docking) = &rows.docking {
        write_docking(tx, subject, docking).await?;
    }
    for incident in &rows.incidents {
        write_incident(tx, subject, incident).await?;
    }
    Ok(())
}

async fn write_item(tx: &mut PgTransaction<'_>, item: &ItemRecord) -> sqlx::Result<()> {
    let (intake, code) = (&item.intake, item.code.to_string());
    let before: Option<(String, String, Moment, Option<Moment>)> =
        sqlx::query_as("SELECT tenant, unit, ingested_at, started_at FROM item WHERE code = $1")
            .bind(&code)
            .fetch_optional(&mut **tx)
            .await?;
    let [mut ingested_before, mut started_before] = [None, None];
    if let Some((tenant, unit, ingested, started)) = before {
        let at = |at| Standing { tenant: tenant.clone(), unit: Some(unit.clone()), at };
        (ingested_before, started_before) = (Some(at(ingested)), started.map(at));
    }
    let at = |at| Standing {
        tenant: item.tenant.to_string(),
        unit: Some(listed::column(&intake.unit)),
        at: Moment::cut(at),
    };
    listed::place(tx, INGESTED, &code, ingested_before, Some(at(intake.ingested_at))).await?;
    listed::place(tx, STARTED, &code, started_before, intake.started_at.map(at)).await?;
    sqlx::query(
        "INSERT INTO item (code, tenant, unit, station, device, officer, kind, class, state, playback, held, key_file,
                           unknown_name, open_incidents, ingested_at, started_at, locked_until, manifest, record)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
         ON CONFLICT (code) DO UPDATE SET
             tenant = excluded.tenant, unit = excluded.unit, station = excluded.station, device = excluded.device,
             officer = excluded.officer, kind = excluded.kind, class = excluded.class, state = excluded.state,
             playback = excluded.playback, held = excluded.held, key_file = excluded.key_file,
             unknown_name = excluded.unknown_name, open_incidents = excluded.open_incidents,
             ingested_at = excluded.ingested_at, started_at = excluded.started_at, locked_until = excluded.locked_until,
             manifest = excluded.manifest, record = excluded.record
         WHERE item.record IS DISTINCT FROM excluded.record",
    )
    .bind(&code)
    .bind(item.tenant.as_str())
    .bind(listed::column(&intake.unit))
    .bind(intake.station.as_str())
    .bind(item.device.as_str())
    .bind(intake.officer.as_ref().map(OfficerId::as_str))
    .bind(intake.kind.as_str())
    .bind(item.class.as_str())
    .bind(item.state.as_str())
    .bind(&item.playback.outcome)
    .bind(item.held)
    .bind(intake.key_file)
    .bind(intake.unknown_name)
    .bind(i64::from(item.open_incidents))
    .bind(Moment(intake.ingested_at))
    .bind(intake.started_at.map(Moment))
    .bind(Moment(item.locked_until))
    .bind(&item.manifest.key)
    .bind(Json(item))
    .execute(&mut **tx)
    .await
    .map(drop)
}

async fn write_pending(tx: &mut PgTransaction<'_>, item: &str, pending: &[Pending]) -> sqlx::Result<()> {
    let (steps, facts): (Vec<&str>, Vec<&str>) =
        pending.iter().map(|pending| (pending.step.as_str(), pending.fact.as_str())).unzip();
    sqlx::query(
        "DELETE FROM pending WHERE item = $1 AND NOT EXISTS
             (SELECT FROM unnest($2::text[], $3::text[]) AS still (step, fact)
              WHERE still.step = pending.step AND still.fact = pending.fact)",
    )
    .bind(item)
    .bind(&steps)
    .bind(&facts)
    .execute(&mut **tx)
    .await?;
    for pending in pending {
        sqlx::query(
            "INSERT INTO pending (item, step, fact, since, next_at) VALUES ($1, $2, $3, $4, $4)
             ON CONFLICT (item, step, fact) DO NOTHING",
        )
        .bind(item)
        .bind(pending.step.as_str())
        .bind(&pending.fact)
        .bind(Moment(pending.since))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn write_docking(tx: &mut PgTransaction<'_>, subject: &str, docking: &DockingRecord) -> sqlx::Result<()> {
    let unit = docking.unit.as_ref().map(listed::column);
    let before = standing(tx, "SELECT tenant, unit, at FROM docking WHERE subject = $1", subject).await?;
    let now = Standing { tenant: docking.tenant.to_string(), unit, at: Moment::cut(docking.at()) };
    listed::place(tx, DOCKINGS, subject, before, Some(now)).await?;
    sqlx::query(
        "INSERT INTO docking (subject, docking, tenant, unit, station, device, at, missing, record)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (subject) DO UPDATE SET
             docking = excluded.docking, tenant = excluded.tenant, unit = excluded.unit, station = excluded.station,
             device = excluded.device, at = excluded.at, missing = excluded.missing, record = excluded.record",
    )
    .bind(subject)
    .bind(docking.docking.as_str())
    .bind(docking.tenant.as_str())
    .bind(docking.unit.as_ref().map(listed::column))
    .bind(docking.station.as_str())
    .bind(docking.device.as_str())
    .bind(Moment(docking.at()))
    .bind(docking.missing.map(i64::from))
    .bind(Json(docking))
    .execute(&mut **tx)
    .await
    .map(drop)
}

async fn write_incident(tx: &mut PgTransaction<'_>, subject: &str, incident: &IncidentRecord) -> sqlx::Result<()> {
    let (id, unit) = (incident.id.as_str(), incident.unit.as_ref().map(listed::column));
    let before = standing(tx, "SELECT tenant, unit, at FROM incident WHERE id = $1", id).await?;
    let now = Standing { tenant: incident.tenant.to_string(), unit, at: Moment::cut(incident.opened_at) };
    listed::place(tx, INCIDENTS, id, before, Some(now)).await?;
    sqlx::query(
        "INSERT INTO incident (id, subject, tenant, unit, class, open, at, record)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET
             subject = excluded.subject, tenant = excluded.tenant, unit = excluded.unit, class = excluded.class,
             open = excluded.open, at = excluded.at, record = excluded.record",
    )
    .bind(incident.id.as_str())
    .bind(subject)
    .bind(incident.tenant.as_str())
    .bind(incident.unit.as_ref().map(listed::column))
    .bind(incident.class.as_str())
    .bind(incident.closed.is_none())
    .bind(Moment(incident.opened_at))
    .bind(Json(incident))
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Where a row stands in its list by now.
async fn standing(tx: &mut PgTransaction<'_>, sql: &'static str, name: &str) -> sqlx::Result<Option<Standing>> {
    let row: Option<(String, Option<String>, Moment)> =
        sqlx::query_as(sql).bind(name).fetch_optional(&mut **tx).await?;
    Ok(row.map(|(tenant, unit, at)| Standing { tenant, unit, at }))
}
