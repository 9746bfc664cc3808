//! What was issued, and what of it is revoked.

use std::collections::HashSet;

use custos_domain::dsse::KeyId;
use custos_platform::db::Moment;
use jiff::{SignedDuration, Timestamp};
use sqlx::{FromRow, PgTransaction, Row as _, postgres::PgRow};

use super::{Ledger, stations::Station};
use crate::authority::{Issued, Revoked};

/// How long a revoked certificate stays on the list after its end (RFC 5280, 3.3: at least one list beyond it).
const LINGER: SignedDuration = SignedDuration::from_hours(24);

impl Ledger {
    /// Adds a certificate; `replaces` is the serial number of the one it renews.
    pub async fn add_certificate(
        &self,
        tx: &mut PgTransaction<'_>,
        station: &Station,
        issued: &Issued,
        replaces: Option<&str>,
    ) -> sqlx::Result<()> {
        let insert = sqlx::query(
            "INSERT INTO certificate (serial, tenant, station, key, replaces, not_before, not_after, pem)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        );
        let insert = insert.bind(&issued.serial).bind(station.tenant.as_str()).bind(station.id.as_str());
        let insert = insert.bind(issued.key.0.as_slice()).bind(replaces);
        let insert = insert.bind(Moment(issued.from)).bind(Moment(issued.until)).bind(&issued.pem);
        insert.execute(&mut **tx).await.map(drop)
    }

    /// Enters a certificate of which only facts are left. Answers whether it was unknown.
    pub async fn recover_certificate(
        &self,
        tx: &mut PgTransaction<'_>,
        station: &Station,
        issued: &Issued,
        replaces: Option<&str>,
        revoked_at: Option<Timestamp>,
    ) -> sqlx::Result<bool> {
        let insert = sqlx::query(
            "INSERT INTO certificate (serial, tenant, station, key, replaces, not_before, not_after, pem, revoked_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8) ON CONFLICT DO NOTHING",
        );
        let insert = insert.bind(&issued.serial).bind(station.tenant.as_str()).bind(station.id.as_str());
        let insert = insert.bind(issued.key.0.as_slice()).bind(replaces);
        let insert = insert.bind(Moment(issued.from)).bind(Moment(issued.until)).bind(revoked_at.map(Moment));
        Ok(insert.execute(&mut **tx).await?.rows_affected() > 0)
    }

    /// A certificate by its serial number, unless it is revoked.
    pub async fn certificate(&self, tx: &mut PgTransaction<'_>, serial: &str) -> sqlx::Result<Option<Issued>> {
        let query = sqlx::query_as("SELECT * FROM certificate WHERE serial = $1 AND revoked_at IS NULL");
        query.bind(serial).fetch_optional(&mut **tx).await
    }

    /// The certificates that already replaced this one of the station's and are not revoked; more than one only where the database
    /// was lost in between.
    pub async fn successors(
        &self,
        tx: &mut PgTransaction<'_>,
        station: &Station,
        replaces: &str,
    ) -> sqlx::Result<Vec<Issued>> {
        let query = sqlx::query_as(
            "SELECT * FROM certificate WHERE tenant = $1 AND station = $2 AND replaces = $3 AND revoked_at IS NULL
             ORDER BY number",
        );
        let query = query.bind(station.tenant.as_str()).bind(station.id.as_str());
        query.bind(replaces).fetch_all(&mut **tx).await
    }

    /// Whether the station enrolled with a code after this certificate was issued to it; a certificate that was not issued here is
    /// older than all that were.
    pub async fn is_superseded(
        &self,
        tx: &mut PgTransaction<'_>,
        station: &Station,
        serial: &str,
    ) -> sqlx::Result<bool> {
        let query = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM certificate WHERE tenant = $1 AND station = $2
               AND (replaces IS NULL AND number > (SELECT number FROM certificate WHERE serial = $3)
                    OR NOT EXISTS (SELECT 1 FROM certificate WHERE serial = $3)))",
        );
        let query = query.bind(station.tenant.as_str()).bind(station.id.as_str());
        query.bind(serial).fetch_one(&mut **tx).await
    }

    /// Whether a certificate is known to be revoked.
    pub async fn is_revoked(&self, tx: &mut PgTransaction<'_>, serial: &str) -> sqlx::Result<bool> {
        let query = sqlx::query_scalar("SELECT count(*) FROM certificate WHERE serial = $1 AND revoked_at IS NOT NULL");
        let count: i64 = query.bind(serial).fetch_one(&mut **tx).await?;
        Ok(count > 0)
    }

    /// How many certificates a station was issued that begin after `since`.
    pub async fn issued_since(
        &self,
        tx: &mut PgTransaction<'_>,
        station: &Station,
        since: Timestamp,
    ) -> sqlx::Result<i64> {
        let count = sqlx::query_scalar(
            "SELECT count(*) FROM certificate WHERE tenant = $1 AND station = $2 AND not_before > $3",
        );
        let count = count.bind(station.tenant.as_str()).bind(station.id.as_str());
        count.bind(Moment(since)).fetch_one(&mut **tx).await
    }

    /// Revokes every certificate of a station that could still be used; answers their serial numbers.
    pub async fn revoke_all(
        &self,
        tx: &mut PgTransaction<'_>,
        station: &Station,
        at: Timestamp,
    ) -> sqlx::Result<Vec<String>> {
        let update = sqlx::query_scalar(
            "UPDATE certificate SET revoked_at = $3
             WHERE tenant = $1 AND station = $2 AND revoked_at IS NULL AND not_after > $3 RETURNING serial",
        );
        let update = update.bind(station.tenant.as_str()).bind(station.id.as_str());
        update.bind(Moment(at)).fetch_all(&mut **tx).await
    }

    /// Revoked certificates that belong on a list at `now`, by serial number.
    pub async fn revoked(&self, now: Timestamp) -> sqlx::Result<Vec<Revoked>> {
        let since = now.checked_sub(LINGER).unwrap_or(Timestamp::MIN);
        let rows: Vec<(String, Moment)> = sqlx::query_as(
            "SELECT serial, revoked_at FROM certificate WHERE revoked_at IS NOT NULL AND not_after > $1 ORDER BY serial",
        )
        .bind(Moment(since))
        .fetch_all(&self.0)
        .await?;
        let whole = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
        Ok(rows.into_iter().map(|(serial, Moment(at))| Revoked { serial, at: whole(at) }).collect())
    }

    /// Revokes what a published list names and this database does not have as revoked: it was restored from before. Answers how many.
    pub async fn revoke_listed(&self, listed: &[Revoked]) -> sqlx::Result<u64> {
        let serials: Vec<&str> = listed.iter().map(|revoked| revoked.serial.as_str()).collect();
        let query = sqlx::query_scalar("SELECT serial FROM certificate WHERE serial = ANY($1) AND revoked_at IS NULL");
        let forgotten: HashSet<String> = query.bind(serials).fetch_all(&self.0).await?.into_iter().collect();
        let mut revoked = 0;
        for listed in listed.iter().filter(|listed| forgotten.contains(&listed.serial)) {
            let update = sqlx::query("UPDATE certificate SET revoked_at = $2 WHERE serial = $1 AND revoked_at IS NULL");
            revoked += update.bind(&listed.serial).bind(Moment(listed.at)).execute(&self.0).await?.rows_affected();
        }
        Ok(revoked)
    }

    /// Which of these serial numbers are of certificates that were issued here.
    pub async fn ours(&self, serials: &[String]) -> sqlx::Result<HashSet<String>> {
        let query = sqlx::query_scalar("SELECT serial FROM certificate WHERE serial = ANY($1)");
        Ok(query.bind(serials).fetch_all(&self.0).await?.into_iter().collect())
    }
}

impl FromRow<'_, PgRow> for Issued {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let key: Vec<u8> = row.try_get("key")?;
        let key = key.try_into().map_err(|_| sqlx::Error::Decode("a key of another length".into()))?;
        Ok(Self {
            serial: row.try_get("serial")?,
            key: KeyId(key),
            from: row.try_get::<Moment, _>("not_before")?.0,
            until: row.try_get::<Moment, _>("not_after")?.0,
            pem: row.try_get("pem")?,
        })
    }
}
