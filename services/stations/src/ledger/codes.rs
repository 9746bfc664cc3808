//! Who may enrol.

use custos_domain::ids::{PersonId, StationId, TenantId};
use custos_platform::db::Moment;
use jiff::Timestamp;
use sqlx::{FromRow, PgTransaction, Row as _, postgres::PgRow};

use super::{Ledger, parsed, stations::Station};

/// A code as kept: without itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCode {
    /// Its name, which is no secret.
    pub id: String,
    /// The station's agency.
    pub tenant: TenantId,
    /// The station it is for.
    pub station: StationId,
    /// When it is no longer good.
    pub expires_at: Timestamp,
    /// Whether its station was shut out, or a newer code was issued.
    pub void: bool,
    /// The certificate it was used for, by serial number.
    pub used_for: Option<String>,
}

impl Ledger {
    /// Adds a code. Unused codes of the same station are void from now on: only the newest counts.
    pub async fn add_code(
        &self,
        tx: &mut PgTransaction<'_>,
        code: &KeptCode,
        hash: &[u8],
        by: &PersonId,
        now: Timestamp,
    ) -> sqlx::Result<()> {
        self.void_unused_codes(tx, &code.tenant, &code.station, now).await?;
        let insert = sqlx::query(
            "INSERT INTO code (id, tenant, station, hash, issued_by, issued_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        );
        let insert = insert.bind(&code.id).bind(code.tenant.as_str()).bind(code.station.as_str()).bind(hash);
        let insert = insert.bind(by.as_str()).bind(Moment(now)).bind(Moment(code.expires_at));
        insert.execute(&mut **tx).await.map(drop)
    }

    /// The code with this hash. Take its station before acting on it, and then look again.
    pub async fn code(&self, tx: &mut PgTransaction<'_>, hash: &[u8]) -> sqlx::Result<Option<KeptCode>> {
        sqlx::query_as("SELECT * FROM code WHERE hash = $1").bind(hash).fetch_optional(&mut **tx).await
    }

    /// Notes that a code was used.
    pub async fn use_code(
        &self,
        tx: &mut PgTransaction<'_>,
        id: &str,
        serial: &str,
        at: Timestamp,
    ) -> sqlx::Result<()> {
        let update = sqlx::query("UPDATE code SET used_at = $3, serial = $2 WHERE id = $1");
        update.bind(id).bind(serial).bind(Moment(at)).execute(&mut **tx).await.map(drop)
    }

    /// Makes every code of a station void, used ones too: their answers are not given again.
    pub async fn void_codes(&self, tx: &mut PgTransaction<'_>, station: &Station, at: Timestamp) -> sqlx::Result<()> {
        let void = sqlx::query("UPDATE code SET void_at = $3 WHERE tenant = $1 AND station = $2 AND void_at IS NULL");
        let void = void.bind(station.tenant.as_str()).bind(station.id.as_str()).bind(Moment(at));
        void.execute(&mut **tx).await.map(drop)
    }

    /// Makes the codes of a station void that were not used.
    pub async fn void_unused_codes(
        &self,
        tx: &mut PgTransaction<'_>,
        tenant: &TenantId,
        station: &StationId,
        at: Timestamp,
    ) -> sqlx::Result<()> {
        let void = sqlx::query(
            "UPDATE code SET void_at = $3 WHERE tenant = $1 AND station = $2 AND used_at IS NULL AND void_at IS NULL",
        );
        void.bind(tenant.as_str()).bind(station.as_str()).bind(Moment(at)).execute(&mut **tx).await.map(drop)
    }
}

impl FromRow<'_, PgRow> for KeptCode {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let text = |column: &str| row.try_get::<String, _>(column);
        Ok(Self {
            id: text("id")?,
            tenant: parsed(TenantId::parse(&text("tenant")?))?,
            station: parsed(StationId::parse(&text("station")?))?,
            expires_at: row.try_get::<Moment, _>("expires_at")?.0,
            void: row.try_get::<Option<Moment>, _>("void_at")?.is_some(),
            used_for: row.try_get("serial")?,
        })
    }
}
