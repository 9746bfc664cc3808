//! All tenants' policies together, read from texts that somebody else loaded.

use std::collections::BTreeMap;

use super::Policy;
use crate::ids::TenantId;

/// The policies of all tenants, one each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySet(BTreeMap<TenantId, Policy>);

impl PolicySet {
    /// Reads policy files given as (file name, YAML text). Refuses the whole set if one file is wrong: a service that starts
    /// with half its policies would leave a tenant without any.
    pub fn load<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, PolicyError> {
        let mut set: BTreeMap<TenantId, (&str, Policy)> = BTreeMap::new();
        for (file, text) in files {
            let policy = read(file, text)?;
            if let Some((first, policy)) = set.insert(policy.tenant.clone(), (file, policy)) {
                return Err(PolicyError::Twice { tenant: policy.tenant, first: first.into(), second: file.into() });
            }
        }
        if set.is_empty() {
            return Err(PolicyError::None);
        }
        Ok(Self(set.into_iter().map(|(tenant, (_, policy))| (tenant, policy)).collect()))
    }

    /// The tenant's policy.
    pub fn get(&self, tenant: &TenantId) -> Result<&Policy, PolicyError> {
        self.0.get(tenant).ok_or_else(|| PolicyError::Missing(tenant.clone()))
    }

    /// All policies, by tenant.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.0.values()
    }
}

fn read(file: &str, text: &str) -> Result<Policy, PolicyError> {
    serde_saphyr::from_str(text)
        .map_err(|error| PolicyError::File { file: file.to_owned(), problem: error.without_snippet().to_string() })
}

/// Why there is no policy to go by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A file cannot be read or says what no policy may say.
    #[error("policy file {file}: {problem}")]
    File {
        /// The file's name.
        file: String,
        /// The field and what is wrong with it.
        problem: String,
    },
    /// Two files for one tenant.
    #[error("policy files {first} and {second} are both for tenant {tenant}; keep the one in force")]
    Twice {
        /// The tenant.
        tenant: TenantId,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// No files at all.
    #[error("no policy files given; nothing may be ingested without one")]
    None,
    /// No file for this tenant.
    #[error("no policy for tenant {0}; add its file to the policies folder")]
    Missing(TenantId),
}
