//! Where new facts lie: an item's under its ingest day, searches and what befell the store under theirs. Dockings and uploads are found by the full walk.

use custos_domain::{calendar, keys};
use jiff::{Timestamp, ToSpan as _, civil::Date};

/// Days walked often, today included: by then a shift's docks have long finished.
const DAYS: i64 = 3;

/// The prefixes of the last days' facts, the newest first.
pub(super) fn prefixes(now: Timestamp) -> Vec<String> {
    let today = calendar::day(now);
    let days = (0..DAYS).map(|days| today.checked_sub(days.days()).unwrap_or(today));
    days.flat_map(|day| [of_day("items", day), of_day("catalogue", day), of_day("store", day)]).collect()
}

/// The folder of a day's facts. Keys are spelt in `domain::keys` alone; the test below holds this prefix against them.
fn of_day(kind: &str, day: Date) -> String {
    format!("{}{kind}/{}/", keys::FACTS, day.strftime("%Y/%m/%d"))
}

#[cfg(test)]
mod tests {
    use custos_domain::{
        fact::{Act, Actor, Fact, Subject, fact_id},
        ids::{PersonId, TenantId, UnitPath},
        item::UnifiedCode,
    };

    use super::*;

    #[test]
    fn facts_stated_now_are_in_the_newest_folders() {
        let now: Timestamp = "2026-11-23T17:30:00Z".parse().expect("time");
        let prefixes = prefixes(now);
        assert_eq!(prefixes.len(), 9);
        let code = UnifiedCode::parse("E-DSJ00012-20261123091500_0007-00-V").expect("code");
        assert!(keys::item_facts(&code, calendar::day(now)).starts_with(&prefixes[0]), "{}", prefixes[0]);

        let subject = Subject::Catalogue { day: calendar::day(now) };
        let act = Act::CatalogueSearched { query: String::new(), results: 0 };
        let unit = UnitPath::parse("N").expect("unit");
        let fact = Fact {
            id: fact_id(act.name(), &subject, ""),
            at: now,
            tenant: TenantId::parse("E").expect("tenant"),
            unit: None,
            actor: Actor::Person { person: PersonId::parse("p").expect("person"), unit },
            cause: None,
            subject,
            act,
            trace: None,
        };
        assert!(keys::fact(&fact).starts_with(&prefixes[1]), "{}", prefixes[1]);
        let fact = Fact { subject: Subject::Store { day: calendar::day(now) }, ..fact };
        assert!(keys::fact(&fact).starts_with(&prefixes[2]), "{}", prefixes[2]);
    }
}
