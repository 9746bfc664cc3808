//! All rows, in an order of their own: two catalogues of the same store must be equal in every one.

use sqlx::AssertSqlSafe;

use super::Catalogue;

/// A table of the catalogue, as it is compared.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What names a row, as SQL.
    key: &'static str,
    /// The row, as SQL.
    row: &'static str,
}

/// Every table. Of `pending` only what is computed from facts: how often a step was asked for is not.
pub const TABLES: [Table; 7] = [
    Table { name: "subject", key: "name", row: "to_jsonb(t)" },
    Table { name: "fact", key: "key", row: "to_jsonb(t)" },
    Table { name: "item", key: "code", row: "to_jsonb(t)" },
    Table { name: "listed", key: "list || ' ' || tenant || ' ' || unit || ' ' || name", row: "to_jsonb(t)" },
    Table { name: "docking", key: "subject", row: "to_jsonb(t)" },
    Table { name: "incident", key: "id", row: "to_jsonb(t)" },
    Table { name: "pending", key: "item || ' ' || step || ' ' || fact", row: "to_jsonb(t) - 'tries' - 'next_at'" },
];

/// Rows read at a time: a statement must end within its time limit, however large the catalogue.
const PAGE: i64 = 1000;

impl Catalogue {
    /// Every row of a table as JSON, in order of its key.
    pub async fn rows(&self, table: Table, mut each: impl FnMut(&str) -> std::io::Result<()>) -> anyhow::Result<u64> {
        let Table { name, key, row } = table;
        // Made of the names above, nothing from outside.
        let sql = format!("SELECT {key}, ({row})::text FROM {name} AS t WHERE ({key}) > $1 ORDER BY {key} LIMIT $2");
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let page: Vec<(String, String)> =
                sqlx::query_as(AssertSqlSafe(sql.as_str())).bind(&after).bind(PAGE).fetch_all(&self.pool).await?;
            for (_, row) in &page {
                each(row)?;
                count += 1;
            }
            match page.into_iter().last() {
                Some((last, _)) => after = last,
                None => return Ok(count),
            }
        }
    }
}
