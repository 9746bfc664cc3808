//! Who a token speaks for: people, signed in at the identity provider (JWT, RFC 7519 and RFC 8725).

mod keys;
mod token;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderValue, header::AUTHORIZATION, request::Parts},
};
use custos_domain::ids::{PersonId, TenantId, UnitPath};

use super::Problem;
use crate::{clock::Clock, config::AuthArgs, config::ConfigError, service::Context};
use keys::Keys;
use token::{Refusal, Verifier};

/// What a person may be asked to be. A token's unknown roles are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// 執法人員: records, and sees their own recordings.
    Officer,
    /// 單位負責人: answers for a unit.
    Leader,
    /// 法制員: reviews law enforcement quality.
    LegalReviewer,
    /// 檔案管理員: keeps the archive.
    Archivist,
    /// Reads everything that is recorded about access and custody, changes nothing.
    Auditor,
    /// Looks after the system, not the footage.
    Admin,
}

/// A signed-in person. As a handler's argument it demands a valid token and answers 401 otherwise; the state of the
/// router must hold an [`Authenticator`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// `sub`: the number they are known by.
    pub id: PersonId,
    /// `name`, for showing.
    pub name: Option<String>,
    /// `tenant`: 機關 they belong to.
    pub tenant: TenantId,
    /// `unit`: 單位 they belong to; leaders answer for its whole subtree.
    pub unit: UnitPath,
    /// `roles`.
    pub roles: BTreeSet<Role>,
    /// `jti`, for the custody log.
    pub token_id: Option<String>,
}

/// Checks tokens. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Authenticator(Arc<Verifier>);

impl Authenticator {
    /// Loads the identity provider's keys and keeps them fresh as a part of the service, which is unready until it has
    /// any. A key file that cannot be read is a [`ConfigError`]; an address that does not answer is tried again.
    pub async fn start(args: &AuthArgs, context: &Context) -> Result<Self, ConfigError> {
        let authenticator = Self::new(args, context.clock.clone())?;
        authenticator.0.keys.load().await?;
        let (keys, soft) = (authenticator.clone(), context.lifecycle.soft().clone());
        context.lifecycle.spawn("http.auth.keys", async move {
            soft.run_until_cancelled(keys.0.keys.keep_fresh()).await;
            Ok(())
        });
        let keys = authenticator.clone();
        context.health.check("sign-in keys", move || {
            let keys = keys.clone();
            async move { keys.0.keys.check() }
        });
        Ok(authenticator)
    }

    /// Who `token` (the text after `Bearer`) speaks for.
    pub async fn person(&self, token: &str) -> Result<Person, Problem> {
        self.0.verify(token).await.map_err(|refusal| refuse(&refusal))
    }

    fn new(args: &AuthArgs, clock: Clock) -> Result<Self, ConfigError> {
        let keys = Keys::new(args)?;
        Ok(Self(Arc::new(Verifier::new(keys, args.jwt_issuer.clone(), args.jwt_audience.clone(), clock))))
    }
}

impl Person {
    /// Demands one of `roles`, or answers 403.
    pub fn require(&self, roles: &[Role]) -> Result<(), Problem> {
        if roles.iter().any(|role| self.roles.contains(role)) {
            return Ok(());
        }
        let wanted: Vec<String> = roles.iter().map(Role::to_string).collect();
        let detail = format!("this needs the role {}; ask your administrator for it", wanted.join(" or "));
        Err(Problem::forbidden(detail).with("roles", wanted))
    }

    /// Demands that `unit` of `tenant` is the person's own or below it (分級授權, A-16.1), or answers 403.
    pub fn require_scope(&self, tenant: &TenantId, unit: &UnitPath) -> Result<(), Problem> {
        if self.covers(tenant, unit) {
            return Ok(());
        }
        Err(Problem::forbidden("this belongs to a unit outside your own; ask that unit for access"))
    }

    /// Whether `unit` of `tenant` is the person's own or below it.
    pub fn covers(&self, tenant: &TenantId, unit: &UnitPath) -> bool {
        self.tenant == *tenant && self.unit.contains(unit)
    }
}

impl<S> FromRequestParts<S> for Person
where
    Authenticator: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        // The scheme's name is case-insensitive (RFC 9110 11.1).
        let token =
            header.and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else {
            return Err(refuse(&Refusal::Missing));
        };
        let person = Authenticator::from_ref(state).person(token.trim()).await?;
        tracing::Span::current().record("custos.person", person.id.as_str());
        Ok(person)
    }
}

/// RFC 6750 section 3: no error code when there was no token at all.
fn refuse(refusal: &Refusal) -> Problem {
    let challenge = match refusal {
        Refusal::NoKeys => return Problem::unavailable(refusal.to_string(), keys::RETRY),
        Refusal::Missing => r#"Bearer realm="custos""#,
        _ => r#"Bearer realm="custos", error="invalid_token""#,
    };
    tracing::info!(reason = %refusal, "token refused");
    Problem::unauthenticated(HeaderValue::from_static(challenge), refusal.to_string())
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Officer => "officer",
            Self::Leader => "leader",
            Self::LegalReviewer => "legal_reviewer",
            Self::Archivist => "archivist",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Ok(match text {
            "officer" => Self::Officer,
            "leader" => Self::Leader,
            "legal_reviewer" => Self::LegalReviewer,
            "archivist" => Self::Archivist,
            "auditor" => Self::Auditor,
            "admin" => Self::Admin,
            _ => return Err(UnknownRole),
        })
    }
}

/// The text names no [`Role`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a role of Custos")]
pub struct UnknownRole;
