//! The three schemas, row by row, as the superuser.

use anyhow::Context;
use custos_local::{Owner, Part};
use serde::de::DeserializeOwned;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{history::world::Tables, site::Site};

/// Reads what the running services keep.
pub(super) async fn read(site: &Site, running: &[Part]) -> anyhow::Result<Tables> {
    let mut tables = Tables::default();
    let schemas: Vec<Part> = running.iter().copied().filter(|service| service.schema().is_some()).collect();
    if schemas.is_empty() {
        return Ok(tables);
    }
    let mut database = PgConnection::connect(&site.stack.database_url(Owner::Admin)?).await?;
    for service in schemas {
        match service {
            Part::Retention => {
                tables.kept = rows(&mut database, "retention.item").await?;
                tables.outboxes.extend(rows(&mut database, "retention.outbox").await?);
            }
            Part::LegalHold => {
                tables.holds = rows(&mut database, "legal_hold.hold").await?;
                tables.hold_items = rows(&mut database, "legal_hold.hold_item").await?;
                tables.outboxes.extend(rows(&mut database, "legal_hold.outbox").await?);
            }
            _ => {
                tables.facts = rows(&mut database, "records.fact").await?;
                tables.items = rows(&mut database, "records.item").await?;
            }
        }
    }
    database.close().await?;
    Ok(tables)
}

/// Every row of a table; columns that nobody asks for are left out by the type.
async fn rows<T: DeserializeOwned>(database: &mut PgConnection, table: &'static str) -> anyhow::Result<Vec<T>> {
    let sql = format!("SELECT to_jsonb(t)::text FROM {table} AS t");
    let texts: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(database).await.context(table)?;
    texts.iter().map(|text| serde_json::from_str(text).with_context(|| format!("{table}: {text}"))).collect()
}
