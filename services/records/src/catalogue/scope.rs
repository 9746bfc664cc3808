//! What a person may see of the catalogue (分級授權, E-16): decided here.

use custos_domain::ids::{TenantId, UnitPath};
use custos_platform::http::auth::{Person, Role};

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

/// Why a scope cannot be narrowed to what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NarrowError {
    /// It is not within the scope.
    #[error("this filter reaches beyond your own unit; leave it out, or ask that unit")]
    Beyond,
    /// Units of two agencies may have the same name.
    #[error("name the unit's agency as well: `tenant`")]
    WhichTenant,
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

    /// The part of it that a filter asks for. Never more than the scope itself.
    pub fn narrow(self, tenant: Option<TenantId>, unit: Option<UnitPath>) -> Result<Self, NarrowError> {
        let own = match &self {
            Self::Province => None,
            Self::Tenant(own) | Self::Unit(own, _) => Some(own.clone()),
        };
        if let (Some(own), Some(asked)) = (&own, &tenant)
            && own != asked
        {
            return Err(NarrowError::Beyond);
        }
        match (self, tenant.or(own), unit) {
            (Self::Unit(_, above), _, Some(unit)) if !above.contains(&unit) => Err(NarrowError::Beyond),
            (_, Some(tenant), Some(unit)) => Ok(Self::Unit(tenant, unit)),
            (_, None, Some(_)) => Err(NarrowError::WhichTenant),
            (Self::Province, Some(tenant), None) => Ok(Self::Tenant(tenant)),
            (scope, _, None) => Ok(scope),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use custos_domain::ids::PersonId;

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

    #[test]
    fn a_filter_narrows_a_scope_and_never_widens_it() {
        let (e, d) = (|| Some(tenant("E")), || Some(tenant("D")));
        let at = |text| Some(unit(text));
        let own = || Scope::Unit(tenant("E"), unit("NJ/XW"));
        assert_eq!(own().narrow(None, None), Ok(own()));
        assert_eq!(own().narrow(e(), at("NJ/XW/01")), Ok(Scope::Unit(tenant("E"), unit("NJ/XW/01"))));
        for (tenant, unit) in [(None, at("NJ")), (None, at("NJ/XW2")), (d(), None), (d(), at("NJ/XW"))] {
            assert_eq!(own().narrow(tenant, unit), Err(NarrowError::Beyond));
        }
        let whole = || Scope::Tenant(tenant("E"));
        assert_eq!(whole().narrow(None, at("SZ")), Ok(Scope::Unit(tenant("E"), unit("SZ"))));
        assert_eq!(whole().narrow(d(), None), Err(NarrowError::Beyond));
        assert_eq!(Scope::Province.narrow(d(), None), Ok(Scope::Tenant(tenant("D"))));
        assert_eq!(Scope::Province.narrow(d(), at("SZ")), Ok(Scope::Unit(tenant("D"), unit("SZ"))));
        assert_eq!(Scope::Province.narrow(None, at("SZ")), Err(NarrowError::WhichTenant));
    }
}
