//! What a person may see of the catalogue (分級授權, E-16): decided here, and compiled to SQL here.

use custos_domain::ids::{TenantId, UnitPath};
use custos_platform::http::auth::{Person, Role};
use sqlx::{Postgres, QueryBuilder};

/// The tenant that is no agency but the province above them. Ours, not the regulations': "superior level" (A-17.1, E-17.1).
const PROVINCE: &str = "PROVINCE";

/// A part of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All agencies.
    Province,
    /// One agency.
    Tenant(TenantId),
    /// A unit and what is below it.
    Unit(TenantId, UnitPath),
}

impl Scope {
    /// What this person may see: their own unit and below; auditors and administrators their whole agency; an auditor of the
    /// province all of them.
    #[must_use]
    pub fn of(person: &Person) -> Self {
        let has = |role| person.roles.contains(&role);
        if has(Role::Auditor) && person.tenant.as_str() == PROVINCE {
            return Self::Province;
        }
        if has(Role::Auditor) || has(Role::Admin) {
            return Self::Tenant(person.tenant.clone());
        }
        Self::Unit(person.tenant.clone(), person.unit.clone())
    }

    /// Whether something of this tenant and unit is in it. What concerns no unit is for those who see the whole agency.
    #[must_use]
    pub fn covers(&self, tenant: &TenantId, unit: Option<&UnitPath>) -> bool {
        match self {
            Self::Province => true,
            Self::Tenant(own) => own == tenant,
            Self::Unit(own, above) => own == tenant && unit.is_some_and(|unit| above.contains(unit)),
        }
    }

    /// This scope as a condition on columns `tenant` and `unit`.
    pub(super) fn push(&self, sql: &mut QueryBuilder<Postgres>) {
        match self {
            Self::Province => {
                sql.push("TRUE");
            }
            Self::Tenant(tenant) => {
                sql.push("tenant = ").push_bind(tenant.as_str().to_owned());
            }
            Self::Unit(tenant, unit) => {
                sql.push("tenant = ").push_bind(tenant.as_str().to_owned()).push(" AND ");
                push_subtree(sql, unit);
            }
        }
    }
}

/// A unit and what is below it as a condition on the column `unit`.
pub(super) fn push_subtree(sql: &mut QueryBuilder<Postgres>, unit: &UnitPath) {
    let [itself, from, before] = subtree(unit);
    sql.push("(unit = ").push_bind(itself);
    sql.push(" OR (unit >= ").push_bind(from).push(" AND unit < ").push_bind(before).push("))");
}

/// A unit path as it stands in the column: without slashes at its ends.
pub(super) fn column(unit: &UnitPath) -> String {
    unit.as_str().trim_matches('/').to_owned()
}

/// The unit itself, and the range of paths below it. A range by the byte, and no `LIKE`: `_` is a letter of unit names.
#[must_use]
pub fn subtree(unit: &UnitPath) -> [String; 3] {
    let unit = column(unit);
    // '0' is the byte after '/'.
    let (from, before) = (format!("{unit}/"), format!("{unit}0"));
    [unit, from, before]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use custos_domain::ids::PersonId;
    use proptest::prelude::*;

    use super::*;

    fn unit(text: &str) -> UnitPath {
        UnitPath::parse(text).expect("unit")
    }

    fn tenant(text: &str) -> TenantId {
        TenantId::parse(text).expect("tenant")
    }

    fn person(in_tenant: &str, roles: &[Role]) -> Person {
        Person {
            id: PersonId::parse("p").expect("person"),
            name: None,
            tenant: tenant(in_tenant),
            unit: unit("NANJING/XUANWU"),
            roles: roles.iter().copied().collect::<BTreeSet<_>>(),
            token_id: None,
        }
    }

    #[test]
    fn people_see_their_unit_and_those_who_watch_see_more() {
        let sees = |role, in_tenant: &str, other: &str, at: &str| {
            Scope::of(&person(in_tenant, &[role])).covers(&tenant(other), Some(&unit(at)))
        };
        for role in [Role::Officer, Role::Leader, Role::LegalReviewer, Role::Archivist] {
            assert!(sees(role, "E", "E", "NANJING/XUANWU/01"), "{role}");
            assert!(!sees(role, "E", "E", "NANJING"), "{role}");
            assert!(!sees(role, "E", "D", "NANJING/XUANWU"), "{role}");
            assert!(!sees(role, "PROVINCE", "E", "NANJING/XUANWU"), "{role}");
        }
        for role in [Role::Auditor, Role::Admin] {
            assert!(sees(role, "E", "E", "SUZHOU"), "{role}");
            assert!(!sees(role, "E", "D", "SUZHOU"), "{role}");
        }
        assert!(sees(Role::Auditor, "PROVINCE", "E", "SUZHOU"));
        assert!(!sees(Role::Admin, "PROVINCE", "E", "SUZHOU"));
        assert!(!Scope::of(&person("E", &[])).covers(&tenant("E"), None));
        assert!(Scope::of(&person("E", &[Role::Auditor])).covers(&tenant("E"), None));
    }

    proptest! {
        /// The range that is asked of the database is the tree that is meant.
        #[test]
        fn the_range_is_the_subtree(above in "[A-Z0-9_]{1,3}(/[A-Z0-9_]{1,2}){0,2}", tail in "[A-Z0-9_/]{0,4}", other in "[A-Z0-9_/]{1,8}") {
            let above = unit(&above);
            for candidate in [format!("{above}{tail}"), other] {
                let Ok(candidate) = UnitPath::parse(&candidate) else { continue };
                let [itself, from, before] = subtree(&above);
                let column = column(&candidate);
                let in_range = column == itself || (column.as_str() >= from.as_str() && column.as_str() < before.as_str());
                prop_assert_eq!(in_range, above.contains(&candidate), "{} {}", above, candidate);
            }
        }
    }
}
