//! How long a circuit stays open.

use std::time::Duration;

use tower_breaker::{Outcome, Settings, State};

use crate::{circuit::Pure, support::*};

/// Opens, and fails every recovery; returns the open times.
fn open_times(pure: &mut Pure, times: usize) -> Vec<Duration> {
    pure.trip();
    let mut open_for = Vec::new();
    for _ in 0..times {
        let (since, until) = pure.circuit.open_period().unwrap();
        open_for.push(until.since(since));
        pure.wait_out();
        while pure.circuit.open_period().is_none_or(|(since, _)| since < pure.now) {
            pure.call(Outcome::FAILURE);
        }
    }
    open_for
}

#[test]
fn the_open_time_grows_with_each_failed_recovery_up_to_its_cap() {
    let settings = plain()
        .recovery_timeout(secs(10))
        .recovery_timeout_multiplier(3.0)
        .max_recovery_timeout(secs(200));
    let times = open_times(&mut Pure::new(settings), 5);
    assert_eq!(times, [10, 30, 90, 200, 200].map(secs));
}

#[test]
fn closing_ends_backoff() {
    let mut pure = Pure::new(plain());
    assert_eq!(open_times(&mut pure, 2), [60, 120].map(secs));
    pure.wait_out();
    pure.call(Outcome::SUCCESS);
    pure.call(Outcome::SUCCESS);
    assert_eq!((pure.circuit.state(), pure.circuit.reopens()), (State::Closed, 0));
    assert_eq!(open_times(&mut pure, 1), [secs(60)]);
}

#[test]
fn jitter_is_on_by_default_and_only_lengthens() {
    let times = (0..200).map(|seed| {
        let circuit = tower_breaker::circuit::Circuit::new(Settings::default().into(), seed);
        open_times(&mut Pure::of(circuit), 1)[0]
    });
    let (mut shortest, mut longest) = (Duration::MAX, Duration::ZERO);
    for time in times {
        shortest = shortest.min(time);
        longest = longest.max(time);
    }
    assert!(shortest >= secs(60) && shortest < secs(61), "{shortest:?}");
    assert!(longest <= secs(66) && longest > secs(65), "{longest:?}");
}

#[test]
fn jitter_comes_on_top_of_the_cap() {
    let settings = plain().recovery_timeout(secs(10)).max_recovery_timeout(secs(10)).jitter(1.0);
    let mut pure = Pure::new(settings);
    let times = open_times(&mut pure, 20);
    assert!(times.iter().all(|&time| (secs(10)..=secs(20)).contains(&time)), "{times:?}");
    assert!(times.iter().any(|&time| time > secs(11)), "{times:?}");
}

#[test]
fn a_retry_after_replaces_the_open_time_exactly() {
    for asked in [secs(1), secs(300)] {
        let (breaker, _) = live(plain().jitter(1.0));
        calls(&breaker, 4, Outcome::FAILURE);
        calls(&breaker, 1, Outcome::FAILURE.with_retry_after(asked));
        assert_eq!(breaker.snapshot().remaining, Some(asked));
    }
}

#[test]
fn the_retry_after_of_an_earlier_result_runs_from_its_own_time() {
    let (breaker, clock) = live(plain());
    calls(&breaker, 4, Outcome::FAILURE.with_retry_after(secs(100)));
    clock.advance(secs(30));
    calls(&breaker, 1, Outcome::FAILURE);
    assert_eq!(breaker.snapshot().remaining, Some(secs(70)));
}

#[test]
fn of_several_retry_afters_the_latest_end_counts() {
    let (breaker, clock) = live(plain());
    calls(&breaker, 1, Outcome::FAILURE.with_retry_after(secs(100)));
    clock.advance(secs(10));
    calls(&breaker, 4, Outcome::FAILURE.with_retry_after(secs(20)));
    assert_eq!(breaker.snapshot().remaining, Some(secs(90)));
}

#[test]
fn a_retry_after_that_is_over_changes_nothing() {
    let (breaker, clock) = live(plain());
    calls(&breaker, 1, Outcome::FAILURE.with_retry_after(secs(5)));
    clock.advance(secs(5));
    calls(&breaker, 4, Outcome::FAILURE);
    assert_eq!(breaker.snapshot().remaining, Some(secs(60)));
}

#[test]
fn a_retry_after_is_capped() {
    let (breaker, _) = live(plain().max_retry_after(secs(90)));
    calls(&breaker, 5, Outcome::FAILURE.with_retry_after(Duration::MAX));
    assert_eq!(breaker.snapshot().remaining, Some(secs(90)));
}

#[test]
fn a_retry_after_of_an_earlier_generation_is_forgotten() {
    let (breaker, _) = live(plain());
    calls(&breaker, 4, Outcome::FAILURE.with_retry_after(secs(300)));
    breaker.reset();
    calls(&breaker, 5, Outcome::FAILURE);
    assert_eq!(breaker.snapshot().remaining, Some(secs(60)));
}

#[test]
fn a_probe_that_is_told_to_wait_sets_the_next_open_time() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let told = Outcome::RATE_ONLY.with_retry_after(secs(7));
    first_probe(&breaker, &clock).record(told);
    assert_eq!(breaker.snapshot().remaining, Some(secs(7)));
    assert_eq!(breaker.snapshot().reopens, 1);
}

// The rest of an old Retry-After would open the circuit for a moment only.
#[test]
fn a_retry_after_from_before_lengthens_the_open_time_and_never_shortens_it() {
    let asked = Outcome::RATE_ONLY.with_retry_after(secs(90));
    for (later, left) in [(secs(10), secs(80)), (secs(89), secs(60))] {
        let (breaker, clock) = live(plain().failure_threshold(2));
        admitted(&breaker).record(asked);
        clock.advance(later);
        calls(&breaker, 2, Outcome::FAILURE);
        assert_eq!(rejected(&breaker).retry_after, Some(left));
    }
}
