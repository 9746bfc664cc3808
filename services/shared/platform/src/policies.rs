//! The tenants' policy files, read from a folder.

use std::path::PathBuf;

use axum::http::StatusCode;
use custos_domain::policy::{PolicyError, PolicySet};

use crate::{config::ConfigError, http::Problem, worker::Fault};

/// Where the policies are.
#[derive(Debug, Clone, clap::Args)]
pub struct PolicyArgs {
    /// Folder of policy files, one `*.yaml` for each tenant.
    #[arg(long, env = "CUSTOS_POLICIES")]
    pub policies: PathBuf,
}

/// Reads and checks every policy of the folder; one bad file is an error, not a gap.
pub fn load(args: &PolicyArgs) -> Result<PolicySet, ConfigError> {
    let wrong = |problem: String| ConfigError::new("--policies", problem);
    let folder =
        std::fs::read_dir(&args.policies).map_err(|e| ConfigError::unreadable("--policies", &args.policies, &e))?;
    let mut files = Vec::new();
    for entry in folder {
        let path = entry.map_err(|e| ConfigError::unreadable("--policies", &args.policies, &e))?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).map_err(|e| ConfigError::unreadable("--policies", &path, &e))?;
            files.push((path.display().to_string(), text));
        }
    }
    if files.is_empty() {
        return Err(wrong(format!("{} holds no *.yaml file", args.policies.display())));
    }
    files.sort();
    PolicySet::load(files.iter().map(|(name, text)| (name.as_str(), text.as_str()))).map_err(|e| wrong(e.to_string()))
}

/// A missing policy file is for a person to add.
impl From<PolicyError> for Fault {
    fn from(error: PolicyError) -> Self {
        Self::blocked(error.into())
    }
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        Self::new(StatusCode::CONFLICT, "no-policy", "No policy", error.to_string())
    }
}
