//! The unit tree in the database: which lists something is in, for each unit that may see it.

use custos_domain::ids::{TenantId, UnitPath};
use sqlx::{PgTransaction, Postgres, QueryBuilder};

use super::{Moment, Scope};

/// The whole agency, where a unit stands. No unit has this name.
const AGENCY: &str = "*";

/// A list, and the table its rows are in.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    /// Its name in `listed`.
    pub(super) name: &'static str,
    /// The table.
    pub(super) table: &'static str,
    /// The column of the time it is ordered by.
    pub(super) time: &'static str,
    /// The column of the names of its rows.
    pub(super) key: &'static str,
}

pub(super) const INGESTED: List = List { name: "ingested", table: "item", time: "ingested_at", key: "code" };
pub(super) const STARTED: List = List { name: "started", table: "item", time: "started_at", key: "code" };
pub(super) const DOCKINGS: List = List { name: "docking", table: "docking", time: "at", key: "subject" };
pub(super) const INCIDENTS: List = List { name: "incident", table: "incident", time: "at", key: "id" };

/// Where in a list something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) tenant: String,
    pub(super) unit: Option<String>,
    pub(super) at: Moment,
}

/// A unit path as it stands in a column: without slashes at its ends.
pub(super) fn column(unit: &UnitPath) -> String {
    unit.as_str().trim_matches('/').to_owned()
}

/// The unit and every one above it, as they stand in `listed`.
fn above(unit: &str) -> Vec<&str> {
    let parents = unit.match_indices('/').map(|(at, _)| &unit[..at]);
    parents.chain([unit]).collect()
}

/// What a scope is called in `listed`; none where no unit bounds it.
pub(super) fn within(scope: &Scope) -> Option<(&TenantId, String)> {
    match scope {
        Scope::Province => None,
        Scope::Tenant(tenant) => Some((tenant, AGENCY.to_owned())),
        Scope::Unit(tenant, unit) => Some((tenant, column(unit))),
    }
}

/// Puts something where it now stands in a list, and takes it away from where it stood.
pub(super) async fn place(
    tx: &mut PgTransaction<'_>,
    list: List,
    name: &str,
    before: Option<Standing>,
    now: Option<Standing>,
) -> sqlx::Result<()> {
    if before == now {
        return Ok(());
    }
    if let Some(Standing { tenant, unit, at }) = before {
        sqlx::query("DELETE FROM listed WHERE list = $1 AND tenant = $2 AND unit = ANY ($3) AND at = $4 AND name = $5")
            .bind(list.name)
            .bind(tenant)
            .bind(units(unit.as_deref()))
            .bind(at)
            .bind(name)
            .execute(&mut **tx)
            .await?;
    }
    let Some(Standing { tenant, unit, at }) = now else { return Ok(()) };
    let mut sql = QueryBuilder::<Postgres>::new("INSERT INTO listed (list, tenant, unit, at, name) ");
    sql.push_values(units(unit.as_deref()), |mut row, unit| {
        row.push_bind(list.name).push_bind(&tenant).push_bind(unit).push_bind(at).push_bind(name);
    });
    sql.push(" ON CONFLICT DO NOTHING");
    sql.build().execute(&mut **tx).await.map(drop)
}

fn units(unit: Option<&str>) -> Vec<&str> {
    let mut units = unit.map(above).unwrap_or_default();
    units.push(AGENCY);
    units
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed_under(unit: &UnitPath, scope: &Scope) -> bool {
        let (_, name) = within(scope).expect("bounded");
        units(Some(&column(unit))).contains(&name.as_str())
    }

    #[test]
    fn no_unit_is_taken_for_the_whole_agency() {
        let tenant = TenantId::parse("E").expect("tenant");
        let unit = UnitPath::parse("NJ").expect("unit");
        assert!(listed_under(&unit, &Scope::Tenant(tenant)));
        assert!(UnitPath::parse(AGENCY).is_err());
        assert_eq!(units(None), [AGENCY]);
    }

    proptest! {
        /// What is found in the database is what the decision says.
        #[test]
        fn lists_hold_what_a_scope_covers(
            above in "[A-Z_]{1,3}(/[A-Z_]{1,2})?",
            tail in "[A-Z_]{0,2}(/[A-Z_])?",
            other in "[A-Z_]{1,4}(/[A-Z_]{1,3})?",
        ) {
            let unit = |text: &str| UnitPath::parse(text).expect("unit");
            let tenant = TenantId::parse("E").expect("tenant");
            let scope = Scope::Unit(tenant.clone(), unit(&above));
            for candidate in [unit(&format!("{above}{tail}")), unit(&format!("{above}/{other}")), unit(&other)] {
                prop_assert_eq!(
                    listed_under(&candidate, &scope), scope.covers(&tenant, Some(&candidate)), "{} {}", above, candidate
                );
            }
        }
    }
}
