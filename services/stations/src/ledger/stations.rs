//! Who is registered.

use custos_domain::{
    ids::{PersonId, StationId, TenantId, UnitPath},
    station::ShutOut,
};
use custos_platform::db::Moment;
use jiff::Timestamp;
use sqlx::{FromRow, PgTransaction, Row as _, postgres::PgRow};

use super::{Ledger, parsed};

/// A station as registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// Its agency.
    pub tenant: TenantId,
    /// Itself.
    pub id: StationId,
    /// Its unit.
    pub unit: UnitPath,
    /// Whether it may deposit without a signed declaration.
    pub plain: bool,
    /// Who registered it: a person, or `register` where it was taken over from the register in the store.
    pub registered_by: String,
    /// When.
    pub registered_at: Timestamp,
    /// Shut out, until it enrols again.
    pub revoked: Option<Revocation>,
    /// Certificates of it that begin earlier are refused, in whole seconds: when it was shut out last, even if it came back.
    pub refused_before: Option<Timestamp>,
    /// When it last had a certificate issued.
    pub seen_at: Option<Timestamp>,
}

/// Who shut a station out, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The person.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// A station with what it can prove itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The station.
    pub station: Station,
    /// Its longest-lived certificate that is not revoked: serial number and end.
    pub certificate: Option<(String, Timestamp)>,
    /// Until when an unused code is good.
    pub code_until: Option<Timestamp>,
}

/// Which stations to list.
#[derive(Debug)]
pub struct Filter<'a> {
    /// Of this agency.
    pub tenant: &'a TenantId,
    /// Of this unit or below.
    pub unit: Option<&'a UnitPath>,
    /// Only this one.
    pub id: Option<&'a StationId>,
    /// After this one.
    pub after: Option<&'a StationId>,
    /// At most so many.
    pub limit: i64,
}

impl Ledger {
    /// Adds a station unless its agency has one of this id. Answers whether it was added.
    pub async fn add(&self, tx: &mut PgTransaction<'_>, station: &Station) -> sqlx::Result<bool> {
        let insert = sqlx::query(
            "INSERT INTO station (tenant, id, unit, plain, registered_by, registered_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT DO NOTHING",
        );
        let insert = insert.bind(station.tenant.as_str()).bind(station.id.as_str()).bind(station.unit.as_str());
        let insert = insert.bind(station.plain).bind(&station.registered_by).bind(Moment(station.registered_at));
        Ok(insert.execute(&mut **tx).await?.rows_affected() > 0)
    }

    /// A station, kept from others until the transaction ends. Whoever changes anything of a station takes it first.
    pub async fn take(
        &self,
        tx: &mut PgTransaction<'_>,
        tenant: &TenantId,
        id: &StationId,
    ) -> sqlx::Result<Option<Station>> {
        let query = sqlx::query_as("SELECT * FROM station WHERE tenant = $1 AND id = $2 FOR UPDATE");
        query.bind(tenant.as_str()).bind(id.as_str()).fetch_optional(&mut **tx).await
    }

    /// Shuts a station out.
    pub async fn shut_out(
        &self,
        tx: &mut PgTransaction<'_>,
        station: &Station,
        by: &PersonId,
        at: Timestamp,
        why: &str,
    ) -> sqlx::Result<()> {
        let update = sqlx::query(
            "UPDATE station SET revoked_by = $3, revoked_at = $4, revoked_why = $5,
                    refused_before = greatest(refused_before, date_trunc('second', $4))
             WHERE tenant = $1 AND id = $2",
        );
        let update = update.bind(station.tenant.as_str()).bind(station.id.as_str());
        update.bind(by.as_str()).bind(Moment(at)).bind(why).execute(&mut **tx).await.map(drop)
    }

    /// Stations whose older certificates are refused.
    pub async fn shut_outs(&self) -> sqlx::Result<Vec<ShutOut>> {
        let query = sqlx::query_as("SELECT * FROM station WHERE refused_before IS NOT NULL ORDER BY tenant, id");
        let stations: Vec<Station> = query.fetch_all(&self.0).await?;
        let of = |Station { tenant, id: station, refused_before, .. }| {
            Some(ShutOut { tenant, station, before: refused_before? })
        };
        Ok(stations.into_iter().filter_map(of).collect())
    }

    /// Refuses what a published register refuses, where this database was restored from before.
    pub async fn refuse_listed(&self, listed: &[ShutOut]) -> sqlx::Result<()> {
        let known = self.shut_outs().await?;
        for listed in listed.iter().filter(|listed| !known.contains(listed)) {
            let update = sqlx::query(
                "UPDATE station SET refused_before = greatest(refused_before, $3) WHERE tenant = $1 AND id = $2",
            );
            let update = update.bind(listed.tenant.as_str()).bind(listed.station.as_str());
            update.bind(Moment(listed.before)).execute(&self.0).await?;
        }
        Ok(())
    }

    /// Notes that a station had a certificate issued; one that was shut out is no longer.
    pub async fn seen(&self, tx: &mut PgTransaction<'_>, station: &Station, at: Timestamp) -> sqlx::Result<()> {
        let update = sqlx::query(
            "UPDATE station SET seen_at = $3, revoked_by = NULL, revoked_at = NULL, revoked_why = NULL
             WHERE tenant = $1 AND id = $2",
        );
        let update = update.bind(station.tenant.as_str()).bind(station.id.as_str());
        update.bind(Moment(at)).execute(&mut **tx).await.map(drop)
    }

    /// One page of stations by id.
    pub async fn list(&self, filter: &Filter<'_>, now: Timestamp) -> sqlx::Result<Vec<Listed>> {
        sqlx::query_as(
            "SELECT station.*, certificate.serial, certificate.not_after,
                    (SELECT max(expires_at) FROM code
                     WHERE code.tenant = station.tenant AND code.station = station.id
                       AND used_at IS NULL AND void_at IS NULL AND expires_at > $6) AS code_until
             FROM station LEFT JOIN LATERAL
                 (SELECT serial, not_after FROM certificate
                  WHERE certificate.tenant = station.tenant AND certificate.station = station.id AND revoked_at IS NULL
                  ORDER BY not_after DESC, serial LIMIT 1) AS certificate ON true
             WHERE station.tenant = $1 AND ($2::text IS NULL OR station.unit = $2 OR starts_with(station.unit, $2 || '/'))
               AND ($3::text IS NULL OR station.id = $3) AND ($4::text IS NULL OR station.id COLLATE \"C\" > $4)
             ORDER BY station.id COLLATE \"C\" LIMIT $5",
        )
        .bind(filter.tenant.as_str())
        .bind(filter.unit.map(UnitPath::as_str))
        .bind(filter.id.map(StationId::as_str))
        .bind(filter.after.map(StationId::as_str))
        .bind(filter.limit)
        .bind(Moment(now))
        .fetch_all(&self.0)
        .await
    }

    /// One station.
    pub async fn one(&self, tenant: &TenantId, id: &StationId, now: Timestamp) -> sqlx::Result<Option<Listed>> {
        let filter = Filter { tenant, unit: None, id: Some(id), after: None, limit: 1 };
        Ok(self.list(&filter, now).await?.pop())
    }

    /// Every station.
    pub async fn every(&self) -> sqlx::Result<Vec<Station>> {
        sqlx::query_as("SELECT * FROM station ORDER BY tenant, id").fetch_all(&self.0).await
    }

    /// Every station that is not shut out, by agency and id.
    pub async fn registered(&self) -> sqlx::Result<Vec<Station>> {
        sqlx::query_as("SELECT * FROM station WHERE revoked_at IS NULL ORDER BY tenant COLLATE \"C\", id COLLATE \"C\"")
            .fetch_all(&self.0)
            .await
    }
}

impl FromRow<'_, PgRow> for Station {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let text = |column: &str| row.try_get::<String, _>(column);
        let revoked = match row.try_get::<Option<Moment>, _>("revoked_at")? {
            Some(Moment(at)) => Some(Revocation { by: text("revoked_by")?, at, why: text("revoked_why")? }),
            None => None,
        };
        Ok(Self {
            tenant: parsed(TenantId::parse(&text("tenant")?))?,
            id: parsed(StationId::parse(&text("id")?))?,
            unit: parsed(UnitPath::parse(&text("unit")?))?,
            plain: row.try_get("plain")?,
            registered_by: text("registered_by")?,
            registered_at: row.try_get::<Moment, _>("registered_at")?.0,
            revoked,
            refused_before: row.try_get::<Option<Moment>, _>("refused_before")?.map(|moment| moment.0),
            seen_at: row.try_get::<Option<Moment>, _>("seen_at")?.map(|moment| moment.0),
        })
    }
}

impl FromRow<'_, PgRow> for Listed {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let serial = row.try_get::<Option<String>, _>("serial")?;
        let until = row.try_get::<Option<Moment>, _>("not_after")?;
        Ok(Self {
            station: Station::from_row(row)?,
            certificate: serial.zip(until.map(|moment| moment.0)),
            code_until: row.try_get::<Option<Moment>, _>("code_until")?.map(|moment| moment.0),
        })
    }
}
