//! Ids of regulation articles.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of one clause of a regulation, such as `A-15.3`, `B-4.6b` or `D-12.2` (services/REQUIREMENTS.md, section 1).
///
/// A capital letter for the regulation, a hyphen, the article and its items joined by dots, and a small letter where one
/// sentence holds several duties.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cite(String);

impl Cite {
    /// Takes `text` as a citation, or says what a citation looks like.
    pub fn parse(text: &str) -> Result<Self, CiteError> {
        let wrong = || CiteError(text.escape_debug().take(32).collect());
        let (regulation, article) = text.split_once('-').ok_or_else(wrong)?;
        let one_capital = regulation.len() == 1 && regulation.bytes().all(|b| b.is_ascii_uppercase());
        let numbers = article.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or(article);
        if one_capital && text.len() <= 16 && numbers.split('.').all(is_number) {
            Ok(Self(text.to_owned()))
        } else {
            Err(wrong())
        }
    }

    /// The code of the regulation: the part before the hyphen.
    #[must_use]
    pub fn regulation(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }

    /// The citation as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_number(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    plain && (1..=3).contains(&text.len()) && (text == "0" || !text.starts_with('0'))
}

impl fmt::Display for Cite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Cite {
    type Error = CiteError;
    fn try_from(text: String) -> Result<Self, CiteError> {
        Self::parse(&text)
    }
}

impl From<Cite> for String {
    fn from(cite: Cite) -> String {
        cite.0
    }
}

/// Why a text is not a citation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an article id: expected one such as A-15.3, B-4.6b or D-12.2")]
pub struct CiteError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_used_in_the_requirements_are_citations() {
        for text in ["A-15.0", "A-15.3", "B-4.6b", "B-4.6.1", "C-11.2", "D-12.2", "E-14.4", "M-13"] {
            assert_eq!(Cite::parse(text).map(String::from), Ok(text.to_owned()));
        }
        assert_eq!(Cite::parse("B-4.6b").expect("cite").regulation(), "B");
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "A",
            "A-",
            "a-15",
            "AB-1",
            "A-15.",
            "A-.1",
            "A-1..2",
            "A-015",
            "A-b",
            "A-1bc",
            "A-15-3",
            "Ａ-15",
            "A-1234",
            "A-1.2.3.4.5.6.7.8",
        ] {
            assert!(Cite::parse(text).is_err(), "{text:?}");
        }
    }
}
