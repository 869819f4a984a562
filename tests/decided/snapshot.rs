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
fn every_success_that_was_booked_is_counted_however_it_was_booked() {
    for settings in [plain(), rate(0.9, SlidingWindow::count(10), 5), slow_rate(0.9, 10, 10)] {
        let (breaker, clock) = live(settings);
        let late = admitted(&breaker);
        // Off leases, and under the lock: after a failure, slow, with a Retry-After.
        calls(&breaker, 1_000, Outcome::SUCCESS);
        calls(&breaker, 1, Outcome::FAILURE);
        calls(&breaker, 20, Outcome::SUCCESS);
        calls(&breaker, 1, Outcome::SUCCESS.with_retry_after(secs(1)));
        calls(&breaker, 3, Outcome::IGNORED);
        let slow = admitted(&breaker);
        clock.advance(secs(2));
        slow.success();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.succeeded, snapshot.failed, snapshot.ignored), (1_022, 1, 3));
        assert_eq!(breaker.snapshot().succeeded, 1_022, "reading counts nothing again");
        breaker.reset();
        late.success();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.succeeded, snapshot.late, snapshot.admitted), (1_022, 1, 1_027));
    }
}

#[test]
fn probes_count_among_the_successes_and_results_of_a_disabled_circuit_do_not() {
    let (breaker, clock) = live(plain());
    first_probe(&breaker, &clock).success();
    calls(&breaker, 1, Outcome::SUCCESS);
    assert_eq!((breaker.state(), breaker.snapshot().succeeded), (State::Closed, 2));
    breaker.metrics_only();
    calls(&breaker, 10, Outcome::SUCCESS);
    assert_eq!(breaker.snapshot().succeeded, 12);
    breaker.disable();
    let before = breaker.snapshot();
    calls(&breaker, 10, Outcome::SUCCESS);
    calls(&breaker, 1, Outcome::SUCCESS.with_retry_after(secs(1)));
    let disabled = breaker.snapshot();
    assert_eq!((disabled.succeeded, disabled.ignored), (12, before.ignored));
    calls(&breaker, 1, Outcome::FAILURE);
    let failed = breaker.snapshot();
    assert_eq!((failed.ignored, failed.failed), (before.ignored + 1, before.failed + 1));
}

#[test]
fn the_totals_of_many_threads_add_up_to_the_calls() {
    const EACH: u32 = 5_000;
    for settings in [plain(), rate(1.0, SlidingWindow::time(secs(10)), 10)] {
        let (breaker, _) = live(settings);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let breaker = &breaker;
                scope.spawn(move || {
                    let mut seen = 0;
                    for call in 0..EACH {
                        match (call + thread) % 100 {
                            0 => calls(breaker, 1, Outcome::FAILURE),
                            1 => calls(breaker, 1, Outcome::IGNORED),
                            2 => {
                                let succeeded = breaker.snapshot().succeeded;
                                assert!(succeeded >= seen, "it fell");
                                seen = succeeded;
                                calls(breaker, 1, Outcome::SUCCESS);
                            }
                            _ => calls(breaker, 1, Outcome::SUCCESS),
                        }
                    }
                });
            }
        });
        let snapshot = breaker.snapshot();
        let calls = u64::from(4 * EACH);
        assert_eq!((snapshot.failed, snapshot.ignored), (calls / 100, calls / 100));
        assert_eq!((snapshot.admitted, snapshot.late), (calls, 0));
        assert_eq!(snapshot.succeeded, calls / 100 * 98);
    }
}

#[test]
fn clones_are_one_circuit() {
    let (breaker, _) = live(plain());
    let clone = breaker.clone();
    trip(&clone);
    assert_eq!(breaker.snapshot(), clone.snapshot());
    assert_eq!(breaker.state(), State::Open);
}
