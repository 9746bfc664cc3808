use std::{path::PathBuf, str::FromStr};

use clap::Args;

/// Options for checking the tokens of people (JWT, RFC 7519).
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sign-in")]
pub struct AuthArgs {
    /// Public keys of the identity provider (JWKS, RFC 7517): a file, or an https URL
    #[arg(long, env = "CUSTOS_JWKS", value_name = "FILE|URL")]
    pub jwks: JwksSource,

    /// Authorities trusted for the JWKS URL, PEM; without it the system's
    #[arg(long, env = "CUSTOS_JWKS_CA", value_name = "FILE")]
    pub jwks_ca: Option<PathBuf>,

    /// Issuer every token must name (`iss`)
    #[arg(long, env = "CUSTOS_JWT_ISSUER", value_name = "ISSUER")]
    pub jwt_issuer: String,

    /// Audience every token must be meant for (`aud`)
    #[arg(long, env = "CUSTOS_JWT_AUDIENCE", value_name = "AUDIENCE")]
    pub jwt_audience: String,
}

/// Where the identity provider's public keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksSource {
    /// A file, read again when a token names an unknown key.
    File(PathBuf),
    /// An https address, fetched again when a token names an unknown key.
    Url(String),
}

impl FromStr for JwksSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("http://") {
            // Whoever can change the keys on their way can sign in as anybody.
            return Err("keys must not travel over plain http; use https, or a file".to_owned());
        }
        if text.starts_with("https://") {
            return Ok(Self::Url(text.to_owned()));
        }
        Ok(Self::File(PathBuf::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_a_file_or_over_https_only() {
        assert_eq!("/etc/jwks.json".parse(), Ok(JwksSource::File("/etc/jwks.json".into())));
        assert_eq!("https://idp/jwks".parse(), Ok(JwksSource::Url("https://idp/jwks".to_owned())));
        assert!("http://idp/jwks".parse::<JwksSource>().is_err());
    }
}
