//! How many points were swept.

use std::{collections::BTreeMap, fmt};

use custos_local::Part;

use super::{Kind, Point, Struck, Target};

/// Swept points by service, target and kind.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    swept: BTreeMap<(Part, Target, Kind), u64>,
    not_reached: BTreeMap<(Part, Target, Kind), u64>,
    pairs: u64,
}

impl Tally {
    /// Counts a point, or the points of a pair.
    pub fn add(&mut self, points: &[Point], struck: &[Struck]) {
        self.pairs += u64::from(points.len() == 2 && struck.iter().all(|struck| matches!(struck, Struck::Yes(_))));
        for (point, struck) in points.iter().zip(struck) {
            let counts = if matches!(struck, Struck::Yes(_)) { &mut self.swept } else { &mut self.not_reached };
            *counts.entry((point.service, point.target, point.kind)).or_default() += 1;
        }
    }

    /// Points at which a request was struck.
    pub fn swept(&self) -> u64 {
        self.swept.values().sum()
    }

    /// Points whose request was not sent.
    pub fn not_reached(&self) -> u64 {
        self.not_reached.values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<11} {:<8}", "service", "target")?;
        for kind in Kind::ALL {
            write!(f, " {kind:>11}")?;
        }
        writeln!(f)?;
        for service in Part::SERVICES {
            for target in Target::ALL {
                let count =
                    |counts: &BTreeMap<_, u64>, kind| counts.get(&(service, target, kind)).copied().unwrap_or(0);
                if Kind::ALL.into_iter().all(|kind| count(&self.swept, kind) + count(&self.not_reached, kind) == 0) {
                    continue;
                }
                write!(f, "{service:<11} {target:<8}")?;
                for kind in Kind::ALL {
                    let missed = count(&self.not_reached, kind);
                    let missed = if missed > 0 { format!(" (+{missed})") } else { String::new() };
                    write!(f, " {:>11}", format!("{}{missed}", count(&self.swept, kind)))?;
                }
                writeln!(f)?;
            }
        }
        let (swept, not_reached, pairs) = (self.swept(), self.not_reached(), self.pairs);
        write!(f, "{swept} points swept, {pairs} pairs among them; {not_reached} not reached (in brackets)")
    }
}
