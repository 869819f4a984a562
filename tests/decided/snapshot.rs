//! What a snapshot says.

use tower_breaker::{
    Outcome, SlidingWindow, State,
    circuit::{TripReason, Version},
};

use crate::support::*;

#[test]
fn closed_shows_the_window_and_its_rates() {
    let settings = slow_rate(0.9, 10, 10).failure_rate_threshold(0.9).failure_threshold(9);
    let (breaker, clock) = live(settings);
    let fresh = breaker.snapshot();
    assert_eq!((fresh.failure_rate, fresh.slow_call_rate), (None, None));
    assert_eq!((fresh.generation, fresh.version), (1, Version::new(0, 0)));

    calls(&breaker, 2, Outcome::SUCCESS);
    calls(&breaker, 1, Outcome::FAILURE);
    let slow = admitted(&breaker);
    clock.advance(secs(3));
    slow.failure();
    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.service.as_str(), "upstream");
    assert_eq!((snapshot.failure_rate, snapshot.slow_call_rate), (Some(0.5), Some(0.25)));
    assert_eq!((snapshot.failed, snapshot.slow, snapshot.consecutive_failures), (2, 1, 2));
    assert_eq!((snapshot.admitted, snapshot.rejected), (4, 0));
    assert_eq!((snapshot.trip_reason, snapshot.remaining), (None, None));
}

#[test]
fn the_window_that_tripped_the_circuit_stays_readable_while_it_is_open() {
    let (breaker, clock) = live(rate(0.5, SlidingWindow::time(secs(10)), 4));
    calls(&breaker, 2, Outcome::SUCCESS);
    let late = admitted(&breaker);
    calls(&breaker, 2, Outcome::FAILURE);
    let tripped = breaker.snapshot();
    assert_eq!((tripped.state, tripped.counts.calls, tripped.counts.failures), (State::Open, 4, 2));
    assert_eq!(tripped.remaining, Some(secs(60)));
    late.failure();
    clock.advance(secs(59));
    rejected(&breaker);
    let later = breaker.snapshot();
    assert_eq!((later.counts, later.failure_rate), (tripped.counts, Some(0.5)));
    assert_eq!((later.remaining, later.rejected, later.late), (Some(secs(1)), 1, 1));
}

#[test]
fn in_half_open_the_counts_are_those_of_the_probes() {
    let (breaker, clock) =
        live(rate(0.5, SlidingWindow::count(10), 4).permitted_calls_in_half_open(5));
    trip(&breaker);
    let reason = breaker.snapshot().trip_reason;
    wait_out(&breaker, &clock);
    calls(&breaker, 1, Outcome::SUCCESS);
    calls(&breaker, 2, Outcome::FAILURE);
    let _in_flight = admitted(&breaker);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.remaining), (State::HalfOpen, None));
    assert_eq!((snapshot.counts.calls, snapshot.counts.failures), (3, 2));
    assert_eq!(snapshot.trip_reason, reason, "until it closes");
    // And while open again, those of the round that failed.
    calls(&breaker, 1, Outcome::FAILURE);
    let reopened = breaker.snapshot();
    assert_eq!((reopened.state, reopened.counts.failures), (State::Open, 3));
}

#[test]
fn closing_begins_an_empty_window_and_forgets_the_trip() {
    let (breaker, clock) = live(rate(0.5, SlidingWindow::count(10), 4));
    trip(&breaker);
    assert_eq!(
        breaker.snapshot().trip_reason,
        Some(TripReason::FailureRate { failures: 4, calls: 4, threshold: 0.5 })
    );
    wait_out(&breaker, &clock);
    calls(&breaker, 2, Outcome::SUCCESS);
    let closed = breaker.snapshot();
    assert_eq!((closed.state, closed.trip_reason, closed.counts.calls), (State::Closed, None, 0));
}

// Counting it would take the lock, and clients that go away can be many.
#[test]
fn a_call_that_is_given_up_early_leaves_a_trace_only_as_a_probe() {
    let (breaker, clock) = live(plain());
    drop(admitted(&breaker));
    assert_eq!((breaker.snapshot().ignored, breaker.admitted()), (0, 1));
    drop(first_probe(&breaker, &clock));
    assert_eq!(breaker.snapshot().ignored, 1);
}

#[test]
fn clones_are_one_circuit() {
    let (breaker, _) = live(plain());
    let clone = breaker.clone();
    trip(&clone);
    assert_eq!(breaker.snapshot(), clone.snapshot());
    assert_eq!(breaker.state(), State::Open);
}
