//! Pure: whether a hold may rest on an article.
//!
//! Decided here: a person's hold cites one of the rules in the agency's policy file, and asks for what that rule asks for.
//! Permanence ends in a lock of a hundred years that nobody can take back, so it needs an article that says so, not a click.
//! Whatever fits no article falls under the one every regulation has for other circumstances (A-15.4, B-4.6.4, C-12.4, D-15.5,
//! E-14.4), with the person's own words beside it.

use custos_domain::{
    hold::Permanence,
    policy::{Cite, Duty, Policy},
};

/// Why a hold cannot rest on an article.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The policy has no such rule.
    #[error("{cite} is no rule of the policy of agency {tenant}; cite one of {known}")]
    Unknown {
        /// What was cited.
        cite: Cite,
        /// The agency.
        tenant: String,
        /// The rules there are.
        known: String,
    },
    /// The article asks for permanence.
    #[error(
        "{0} asks for permanent keeping; place the hold as permanent: it is on at once, and final when a leader confirms it"
    )]
    Permanent(Cite),
    /// The article does not ask for permanence.
    #[error("{0} does not ask for permanent keeping, which nobody could take back; place the hold as open")]
    NotPermanent(Cite),
}

/// Lets a hold pass that its article supports.
pub fn check(policy: &Policy, cite: &Cite, permanence: Permanence) -> Result<(), RuleError> {
    let Some(rule) = policy.rules.iter().find(|rule| rule.cite == *cite) else {
        let known: Vec<&str> = policy.rules.iter().map(|rule| rule.cite.as_str()).collect();
        return Err(RuleError::Unknown {
            cite: cite.clone(),
            tenant: policy.tenant.to_string(),
            known: known.join(", "),
        });
    };
    match (rule.obligation, permanence) {
        (Duty::Permanent, Permanence::Permanent) | (Duty::Open(_) | Duty::Dated(_), Permanence::Open) => Ok(()),
        (Duty::Permanent, Permanence::Open) => Err(RuleError::Permanent(cite.clone())),
        (_, Permanence::Permanent) => Err(RuleError::NotPermanent(cite.clone())),
    }
}

#[cfg(test)]
mod tests {
    use custos_domain::{ids::TenantId, policy::PolicySet};

    use super::*;

    #[test]
    fn a_hold_asks_for_what_its_article_asks_for() {
        let files = [
            ("a.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/policies/a.yaml"))),
            ("e.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/policies/e.yaml"))),
        ];
        let set = PolicySet::load(files).expect("policies");
        let check = |tenant: &str, cite: &str, permanence| {
            let policy = set.get(&TenantId::parse(tenant).expect("tenant")).expect("policy");
            super::check(policy, &Cite::parse(cite).expect("cite"), permanence).map_err(|error| error.to_string())
        };
        assert_eq!(check("A", "A-15.3", Permanence::Permanent), Ok(()));
        assert_eq!(check("E", "E-14.3", Permanence::Open), Ok(()));
        assert_eq!(check("E", "E-13.2", Permanence::Open), Ok(()), "as long as the case file");
        for (tenant, cite, permanence, expected) in [
            ("A", "A-15.3", Permanence::Open, "place the hold as permanent"),
            ("E", "E-14.3", Permanence::Permanent, "place the hold as open"),
            ("E", "A-15.3", Permanence::Permanent, "cite one of E-13.2, E-14.1, E-14.2, E-14.3, E-14.4"),
            ("A", "A-15.0", Permanence::Open, "cite one of A-15.3, A-15.4"),
        ] {
            let error = check(tenant, cite, permanence).expect_err(cite);
            assert!(error.contains(expected), "{error}");
        }
    }
}
