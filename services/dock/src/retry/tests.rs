//! The machine alone: every trouble at every step, and that it always ends.

use proptest::prelude::*;

use super::*;

const PATIENCE: Duration = Duration::from_mins(1);
const STEPS: [Step; 5] =
    [Step::Create, Step::Outboard { offset: 0 }, Step::Ask, Step::Send { offset: 0 }, Step::Receipt];

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn unreachable() -> Trouble {
    Trouble::Unreachable("cut".into())
}

fn after(next: &Next) -> Option<(Duration, Step)> {
    match next {
        Next::After(pause, step) => Some((*pause, *step)),
        Next::Stop(_) => None,
    }
}

fn step_after(during: Step, trouble: Trouble) -> Option<Step> {
    after(&Retry::new(PATIENCE).next(during, trouble, secs(0), 0.5)).map(|(_, step)| step)
}

#[test]
fn after_a_cut_the_dock_asks_before_it_sends() {
    assert_eq!(step_after(Step::Send { offset: 0 }, unreachable()), Some(Step::Ask));
    assert_eq!(step_after(Step::Outboard { offset: 0 }, unreachable()), Some(Step::Ask));
    assert_eq!(step_after(Step::Create, unreachable()), Some(Step::Create));
    assert_eq!(step_after(Step::Receipt, unreachable()), Some(Step::Receipt));
    assert_eq!(step_after(Step::Send { offset: 0 }, Trouble::Superseded), Some(Step::Ask));
}

#[test]
fn corrections_are_followed_to_the_byte() {
    let sending = Step::Send { offset: 5 };
    assert_eq!(step_after(sending, Trouble::Offset { offset: 77 }), Some(Step::Send { offset: 77 }));
    assert_eq!(
        step_after(sending, Trouble::Checksum { mib: 1, offset: 1 << 20 }),
        Some(Step::Send { offset: 1 << 20 })
    );
    assert_eq!(step_after(sending, Trouble::OutboardRequired), Some(Step::Outboard { offset: 5 }));
    assert_eq!(step_after(sending, Trouble::Lost), Some(Step::Create));
    assert_eq!(step_after(Step::Receipt, Trouble::Lost), Some(Step::Create));
}

#[test]
fn a_refusal_is_final_at_every_step() {
    for step in STEPS {
        for trouble in [Trouble::Refused("no".into()), Trouble::Certificate("no".into()), Trouble::Protocol("?".into())]
        {
            assert!(
                matches!(Retry::new(PATIENCE).next(step, trouble, secs(0), 0.5), Next::Stop(Stop::Final(_))),
                "{step:?}"
            );
        }
    }
}

#[test]
fn a_mib_damaged_five_times_is_named_and_another_one_starts_over() {
    let mut retry = Retry::new(PATIENCE);
    let damaged = |retry: &mut Retry, mib: u64| {
        retry.next(Step::Send { offset: 0 }, Trouble::Checksum { mib, offset: mib << 20 }, secs(0), 0.5)
    };
    for _ in 0..4 {
        assert!(after(&damaged(&mut retry, 3)).is_some());
    }
    assert!(after(&damaged(&mut retry, 4)).is_some());
    for _ in 0..4 {
        assert!(after(&damaged(&mut retry, 3)).is_some());
    }
    assert!(matches!(damaged(&mut retry, 3), Next::Stop(Stop::Damaged { mib: 3, times: 5 })));
}

#[test]
fn retry_after_is_honoured_up_to_ten_minutes() {
    let busy = |seconds| Trouble::Busy { after: Some(secs(seconds)), detail: String::new() };
    let pause = |trouble, jitter| {
        after(&Retry::new(PATIENCE).next(Step::Ask, trouble, secs(0), jitter)).map(|(pause, _)| pause)
    };
    assert_eq!(pause(busy(8), 0.0), Some(secs(8)));
    assert_eq!(pause(busy(8), 1.0), Some(secs(10)), "those asked at once do not come back at once");
    assert_eq!(pause(busy(1_000_000), 0.0), Some(LONGEST_ASKED));
    assert!(pause(busy(0), 0.5) > Some(Duration::ZERO), "zero must not become a hot loop");
}

#[test]
fn patience_counts_from_the_first_trouble_since_the_last_safe_byte() {
    let mut retry = Retry::new(PATIENCE);
    let cut = |retry: &mut Retry, now| after(&retry.next(Step::Ask, unreachable(), secs(now), 0.5)).is_some();
    // An upload that ran well for an hour is not given up at its first cut.
    assert!(cut(&mut retry, 3_600));
    assert!(cut(&mut retry, 3_659));
    retry.durable(10);
    assert!(cut(&mut retry, 3_700));
    // The same offset again is no progress.
    retry.durable(10);
    assert!(!cut(&mut retry, 3_760));
}

fn any_trouble() -> impl Strategy<Value = (usize, u64)> {
    (0_usize..8, 0_u64..4)
}

fn trouble((kind, number): (usize, u64)) -> Trouble {
    match kind {
        0 => unreachable(),
        1 => Trouble::Busy { after: Some(secs(number)), detail: String::new() },
        2 => Trouble::Pending { after: None },
        3 => Trouble::Offset { offset: number },
        4 => Trouble::Superseded,
        5 => Trouble::Checksum { mib: number, offset: number << 20 },
        6 => Trouble::OutboardRequired,
        _ => Trouble::Lost,
    }
}

proptest! {
    /// Without progress every sequence of troubles ends, and before that never spins: the pauses it asks for add up.
    #[test]
    fn without_progress_it_ends_and_never_spins(troubles in proptest::collection::vec(any_trouble(), 400), jitter in 0.0_f64..1.0) {
        let mut retry = Retry::new(PATIENCE);
        let (mut now, mut step, mut ended) = (Duration::ZERO, Step::Create, false);
        for given in troubles {
            match retry.next(step, trouble(given), now, jitter) {
                Next::After(pause, next) => {
                    now += pause;
                    step = next;
                }
                Next::Stop(_) => {
                    ended = true;
                    break;
                }
            }
        }
        prop_assert!(ended, "400 troubles in {now:?} did not end it");
        prop_assert!(now < PATIENCE + LONGEST_PAUSE);
    }

    #[test]
    fn pauses_grow_to_a_limit_and_are_never_zero(troubles in 0_u32..5_000, jitter in 0.0_f64..=1.0) {
        let pause = backoff(troubles, jitter);
        prop_assert!(pause >= FIRST_PAUSE / 2 && pause <= LONGEST_PAUSE);
        prop_assert!(backoff(troubles + 1, 0.0) >= backoff(troubles, 0.0));
    }
}
