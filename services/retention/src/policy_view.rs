//! GET /v1/policies: the policy that is applied.

use std::sync::Arc;

use axum::extract::State;
use custos_domain::policy::{Base, Duty, OpenReason, Origin, Policy, Rule, Words};
use custos_platform::http::{Problem, auth::Person, extract::Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Retention;

/// The policies a person's agency is under.
#[derive(Debug, Serialize, ToSchema)]
pub struct Policies {
    /// One, as long as an agency is under one regulation.
    pub policies: Vec<PolicyView>,
}

/// A policy as it was loaded.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyView {
    /// The agency.
    pub tenant: String,
    /// Letter of the regulation.
    pub regulation: String,
    /// Title of the regulation.
    #[schema(value_type = Object)]
    pub title: Words,
    /// Version of the policy file.
    pub version: u32,
    /// From which day it is applied.
    #[schema(value_type = String, format = Date)]
    pub effective_from: jiff::civil::Date,
    /// How long everything is kept.
    pub base: BaseView,
    /// The first lock, set on arrival: an ISO 8601 period. Ours, not the text's.
    #[schema(example = "P30D")]
    pub floor: String,
    /// Why the first lock has this length.
    #[schema(value_type = Object)]
    pub floor_why: Words,
    /// Years from ingest to the farthest lock there is. Ours, not the text's.
    pub horizon_years: u16,
    /// What is kept longer.
    pub rules: Vec<RuleView>,
}

/// How long everything is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct BaseView {
    /// The article.
    pub cite: String,
    /// An ISO 8601 period; absent where the text is missing, and then nothing is ever eligible for deletion.
    #[schema(example = "P3M")]
    pub at_least: Option<String>,
    /// The article's words.
    pub text: Option<String>,
    /// What is missing.
    #[schema(value_type = Option<Object>)]
    pub unset: Option<Words>,
}

/// One rule beside the base period.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleView {
    /// The article.
    pub cite: String,
    /// Its words.
    pub text: String,
    /// The circumstances it names.
    pub triggers: Vec<&'static str>,
    /// `long_term`, `case_file`, `permanent`, or an ISO 8601 period.
    pub duty: String,
    /// `text` or `ours`.
    pub origin: &'static str,
}

impl From<&Policy> for PolicyView {
    fn from(policy: &Policy) -> Self {
        Self {
            tenant: policy.tenant.to_string(),
            regulation: policy.regulation.clone(),
            title: policy.title.clone(),
            version: policy.version,
            effective_from: policy.effective_from,
            base: BaseView::from(&policy.base),
            floor: policy.floor.period.to_string(),
            floor_why: policy.floor.why.clone(),
            horizon_years: policy.horizon.years.into(),
            rules: policy.rules.iter().map(RuleView::from).collect(),
        }
    }
}

impl From<&Base> for BaseView {
    fn from(base: &Base) -> Self {
        match base {
            Base::AtLeast { period, cite, text } => Self {
                cite: cite.to_string(),
                at_least: Some(period.to_string()),
                text: Some(text.clone()),
                unset: None,
            },
            Base::Unset { reason, cite } => {
                Self { cite: cite.to_string(), at_least: None, text: None, unset: Some(reason.clone()) }
            }
        }
    }
}

impl From<&Rule> for RuleView {
    fn from(rule: &Rule) -> Self {
        Self {
            cite: rule.cite.to_string(),
            text: rule.text.clone(),
            triggers: rule.triggers.iter().map(|trigger| trigger.as_str()).collect(),
            duty: match rule.obligation {
                Duty::Dated(period) => period.to_string(),
                Duty::Open(OpenReason::LongTerm) => "long_term".to_owned(),
                Duty::Open(OpenReason::CaseFile) => "case_file".to_owned(),
                Duty::Permanent => "permanent".to_owned(),
            },
            origin: match rule.origin {
                Origin::Text => "text",
                Origin::Ours => "ours",
            },
        }
    }
}

/// The policy applied to the agency of the one who asks: version, base period, floor, and every rule with its article.
#[utoipa::path(
    get,
    path = "/v1/policies",
    tag = "retention",
    security(("token" = [])),
    responses(
        (status = 200, body = Policies)
    )
)]
pub async fn policies(State(retention): State<Arc<Retention>>, person: Person) -> Result<Json<Policies>, Problem> {
    let own = retention.policies.iter().filter(|policy| policy.tenant == person.tenant);
    Ok(Json(Policies { policies: own.map(PolicyView::from).collect() }))
}
