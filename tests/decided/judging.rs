//! When a closed circuit opens.

use tower_breaker::{
    Outcome, SlidingWindow, State,
    circuit::{Outcome as PureOutcome, TripReason},
};

use crate::{circuit::Pure, support::*};

#[test]
fn the_success_that_completes_the_minimum_can_trip_the_circuit() {
    let (breaker, _) = live(rate(0.5, SlidingWindow::count(100), 4));
    calls(&breaker, 2, Outcome::FAILURE);
    calls(&breaker, 1, Outcome::SUCCESS);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, Outcome::SUCCESS);
    assert_eq!(breaker.state(), State::Open);
    let reason = TripReason::FailureRate { failures: 2, calls: 4, threshold: 0.5 };
    assert_eq!(breaker.snapshot().trip_reason, Some(reason));
}

#[test]
fn the_pure_circuit_judges_after_a_success_too() {
    let mut pure = Pure::new(rate(0.5, SlidingWindow::count(100), 4));
    let outcomes = [PureOutcome::FAILURE, PureOutcome::FAILURE, PureOutcome::SUCCESS];
    outcomes.into_iter().for_each(|outcome| pure.call(outcome));
    assert_eq!(pure.circuit.state(), State::Closed);
    pure.call(PureOutcome::SUCCESS);
    assert_eq!(pure.circuit.state(), State::Open);
}

#[test]
fn a_success_trips_when_older_successes_have_left_the_window() {
    let (breaker, clock) = live(rate(0.5, SlidingWindow::time(secs(10)), 4));
    calls(&breaker, 100, Outcome::SUCCESS);
    clock.advance(secs(5));
    calls(&breaker, 4, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Closed);
    clock.advance(secs(5));
    calls(&breaker, 1, Outcome::SUCCESS);
    let reason = TripReason::FailureRate { failures: 4, calls: 5, threshold: 0.5 };
    assert_eq!(breaker.snapshot().trip_reason, Some(reason));
}

#[test]
fn a_verdict_comes_from_the_minimum_on_and_not_only_on_a_full_window() {
    for window in [SlidingWindow::count(1_000), SlidingWindow::time(secs(60))] {
        let (breaker, _) = live(rate(0.5, window, 7));
        calls(&breaker, 6, Outcome::FAILURE);
        assert_eq!(breaker.state(), State::Closed);
        calls(&breaker, 1, Outcome::FAILURE);
        assert_eq!(breaker.state(), State::Open);
    }
}

#[test]
fn a_minimum_above_the_count_window_is_refused() {
    let refused = rate(0.5, SlidingWindow::count(10), 11).build().unwrap_err();
    let [field] = refused.fields() else { panic!("{refused}") };
    assert_eq!((field.field(), field.value()), ("minimum_number_of_calls", "11"));
    assert!(rate(0.5, SlidingWindow::count(10), 10).build().is_ok());
    // A time window holds any number of calls.
    assert!(rate(0.5, SlidingWindow::time(secs(1)), u32::MAX).build().is_ok());
}

#[test]
fn a_failure_run_does_not_age() {
    let (breaker, clock) = live(plain());
    for _ in 0..5 {
        assert_eq!(breaker.state(), State::Closed);
        calls(&breaker, 1, Outcome::FAILURE);
        clock.advance(secs(24 * 60 * 60));
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_success_ends_a_failure_run() {
    let (breaker, _) = live(plain());
    for _ in 0..10 {
        calls(&breaker, 4, Outcome::FAILURE);
        calls(&breaker, 1, Outcome::SUCCESS);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn rate_only_counts_for_the_rate_and_leaves_the_run_as_it_is() {
    let settings = rate(0.9, SlidingWindow::count(10), 10).failure_threshold(3);
    let (breaker, _) = live(settings.clone());
    calls(&breaker, 2, Outcome::FAILURE);
    calls(&breaker, 5, Outcome::RATE_ONLY);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.consecutive_failures, snapshot.counts.failures), (2, 7));
    calls(&breaker, 1, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Open);

    let (breaker, _) = live(settings);
    calls(&breaker, 1, Outcome::SUCCESS);
    calls(&breaker, 9, Outcome::RATE_ONLY);
    assert_eq!(breaker.snapshot().trip_reason.unwrap().as_str(), "failure_rate");
}

#[test]
fn ignored_outcomes_are_not_in_the_window_and_leave_the_run_as_it_is() {
    let (breaker, _) = live(rate(0.5, SlidingWindow::count(10), 4).failure_threshold(5));
    calls(&breaker, 3, Outcome::FAILURE);
    calls(&breaker, 50, Outcome::IGNORED);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.counts.calls, snapshot.consecutive_failures), (3, 3));
    assert_eq!(snapshot.ignored, 50);
    calls(&breaker, 1, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_call_is_booked_when_it_ends() {
    let (breaker, clock) = live(rate(0.5, SlidingWindow::time(secs(10)), 10));
    let permit = admitted(&breaker);
    clock.advance(secs(15));
    permit.failure();
    assert_eq!(breaker.snapshot().counts.failures, 1);
    clock.advance(secs(9));
    assert_eq!(breaker.snapshot().counts.failures, 1);
}

#[test]
fn exactly_at_a_rate_is_over_it() {
    let (breaker, _) = live(rate(0.3, SlidingWindow::count(10), 10));
    calls(&breaker, 8, Outcome::SUCCESS);
    calls(&breaker, 2, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Closed);
    // A success leaves as the third failure of ten comes: 0.3 in binary is a little less than 3/10,
    // and `0.3 * 10.0` would be no bound at all.
    calls(&breaker, 1, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn exactly_at_the_slow_limit_is_slow() {
    let (breaker, clock) = live(slow_rate(0.5, 10, 2));
    for elapsed in [secs(1) - NANO, secs(1) - NANO, secs(1)] {
        let permit = admitted(&breaker);
        clock.advance(elapsed);
        permit.success();
    }
    assert_eq!(breaker.snapshot().counts.slow_calls, 1);
    let permit = admitted(&breaker);
    clock.advance(secs(1));
    permit.success();
    let reason = TripReason::SlowCallRate { slow_calls: 2, calls: 4, in_flight: 0, threshold: 0.5 };
    assert_eq!(breaker.snapshot().trip_reason, Some(reason));
}

#[test]
fn a_record_as_old_as_the_window_is_out() {
    let (breaker, clock) = live(rate(0.5, SlidingWindow::time(secs(10)), 10));
    // At the start of a slice.
    calls(&breaker, 1, Outcome::FAILURE);
    clock.advance(secs(10) - NANO);
    assert_eq!(breaker.snapshot().counts.calls, 1);
    clock.advance(NANO);
    assert_eq!(breaker.snapshot().counts.calls, 0);
}

#[test]
fn a_slice_makes_a_record_leave_early_by_no_more_than_one_slice() {
    let (breaker, clock) = live(rate(0.5, SlidingWindow::time(secs(10)), 10));
    // At the very end of a slice.
    clock.advance(secs(1) - NANO);
    calls(&breaker, 1, Outcome::FAILURE);
    clock.advance(secs(9));
    assert_eq!(breaker.snapshot().counts.calls, 1);
    clock.advance(NANO);
    assert_eq!(breaker.snapshot().counts.calls, 0);
}

#[test]
fn any_of_the_conditions_opens() {
    let all = || slow_rate(0.5, 10, 4).failure_threshold(5).failure_rate_threshold(0.75);
    let (breaker, _) = live(all().minimum_number_of_calls(10));
    calls(&breaker, 5, Outcome::FAILURE);
    assert_eq!(breaker.snapshot().trip_reason.unwrap().as_str(), "consecutive_failures");

    let (breaker, _) = live(all());
    calls(&breaker, 1, Outcome::SUCCESS);
    calls(&breaker, 3, Outcome::FAILURE);
    assert_eq!(breaker.snapshot().trip_reason.unwrap().as_str(), "failure_rate");

    let (breaker, clock) = live(all());
    let slow: Vec<_> = (0..2).map(|_| admitted(&breaker)).collect();
    clock.advance(secs(1));
    slow.into_iter().for_each(|permit| permit.success());
    calls(&breaker, 2, Outcome::SUCCESS);
    assert_eq!(breaker.snapshot().trip_reason.unwrap().as_str(), "slow_call_rate");
}

#[test]
fn a_condition_that_is_off_never_opens() {
    let (breaker, clock) = live(slow_rate(1.0, 10, 10).failure_threshold(None));
    calls(&breaker, 1_000, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Closed);

    let (breaker, _) = live(rate(1.0, SlidingWindow::count(10), 10));
    calls(&breaker, 9, Outcome::FAILURE);
    let permit = admitted(&breaker);
    clock.advance(secs(60));
    permit.success();
    assert_eq!(breaker.state(), State::Closed);

    let (breaker, _) = live(plain().failure_threshold(100));
    calls(&breaker, 99, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Closed);
    // Nothing but the run is kept where no rate is set.
    assert_eq!(breaker.snapshot().counts.calls, 0);
}
