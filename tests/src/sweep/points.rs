//! Which points there are.

use std::collections::BTreeMap;

use custos_local::Part;
use rand::{SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{Kind, Point, Target};

/// How many requests of a docking each service sends to each target.
pub type Counts = BTreeMap<(Part, Target), u64>;

/// Every point of these counts that `wanted` wants, in the order of services, targets, kinds and requests.
pub fn all(counts: &Counts, wanted: impl Fn(&Point) -> bool) -> Vec<Point> {
    let mut points = Vec::new();
    for (&(service, target), &count) in counts {
        for kind in Kind::ALL.into_iter().filter(|kind| target != Target::Dock || !kind.kills()) {
            points.extend((1..=count).map(|k| Point { service, target, kind, k }).filter(&wanted));
        }
    }
    points
}

/// So many of them, the same ones for the same seed: first a service and target, so that who sends much is not struck most.
pub fn sample(points: &[Point], count: usize, seed: u64) -> Vec<Point> {
    let mut groups: BTreeMap<(Part, Target), Vec<Point>> = BTreeMap::new();
    for point in points {
        groups.entry((point.service, point.target)).or_default().push(*point);
    }
    let groups: Vec<Vec<Point>> = groups.into_values().collect();
    let mut rng = StdRng::seed_from_u64(seed);
    // The groups in turn: none is left out of a sample that has room for all.
    (0..count).filter_map(|n| groups.get(n % groups.len().max(1))?.choose(&mut rng).copied()).collect()
}

/// So many pairs of different points, the same ones for the same seed.
pub fn pairs(points: &[Point], count: usize, seed: u64) -> Vec<[Point; 2]> {
    let mut rng = StdRng::seed_from_u64(seed);
    let pair = |_| {
        let (first, second) = (points.choose(&mut rng)?, points.choose(&mut rng)?);
        (first != second).then_some([*first, *second])
    };
    // Equal ones are rare, and skipped.
    (0..count * 2).filter_map(pair).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_sample_and_every_service_its_turn() {
        let counts = Counts::from([
            ((Part::Ingest, Target::Store), 50),
            ((Part::Ingest, Target::Dock), 2),
            ((Part::Records, Target::Database), 3),
        ]);
        let points = all(&counts, |_| true);
        assert_eq!(points.len(), 53 * Kind::ALL.len() + 2 * (Kind::ALL.len() - 3), "a dock's connections kill nobody");
        let some = sample(&points, 6, 1);
        assert_eq!(some, sample(&points, 6, 1));
        assert_ne!(some, sample(&points, 6, 2));
        assert_eq!(some.iter().filter(|point| point.service == Part::Records).count(), 2);
        assert_eq!(pairs(&points, 5, 1), pairs(&points, 5, 1));
        assert_eq!(pairs(&points, 5, 1).len(), 5);
        assert!(all(&Counts::new(), |_| true).is_empty() && sample(&[], 3, 1).is_empty());
    }
}
