//! The catalogue in sentences, in Chinese and English. Made when shown, from what is kept: a better sentence changes no row.

mod acts;
mod reasons;

use custos_domain::{calendar, fact::Actor, policy::Words};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

pub use self::{
    acts::describe,
    reasons::{short, why},
};

/// The same in Chinese and English.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Sentence {
    /// 中文.
    pub zh: String,
    /// English.
    pub en: String,
}

/// Who acted.
#[must_use]
pub fn actor(actor: &Actor) -> Sentence {
    match actor {
        Actor::Service { name, version } => {
            words(format!("the service {name} {version}"), format!("系統服務 {name} {version}"))
        }
        Actor::Station { station } => words(format!("station {station}"), format!("採集站 {station}")),
        Actor::Person { person, unit } => words(format!("{person} of {unit}"), format!("{unit} {person}")),
    }
}

impl From<Words> for Sentence {
    fn from(Words { zh, en }: Words) -> Self {
        Self { zh, en }
    }
}

fn words(en: impl Into<String>, zh: impl Into<String>) -> Sentence {
    Sentence { en: en.into(), zh: zh.into() }
}

/// A moment on a wall clock in China, to the second.
fn moment(at: Timestamp) -> String {
    calendar::shanghai(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests;
