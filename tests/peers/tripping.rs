//! Windows, minimums and layers: when a circuit opens.

use tower::{Layer, Service, ServiceExt, service_fn};
use tower_breaker::{
    BreakerMap, CircuitBreakerLayer, Outcome, SlidingWindow, State,
    breaker::clock::ManualClock,
    circuit::{Circuit, Moment, Transitions},
};

use crate::support::*;

// A peer's count window never lets go of a call, so after 1,000 successes it takes 1,000 failures to
// reach 50 % of the last 100.
#[test]
fn defect_01_a_count_window_evicts() {
    let (breaker, _) = live(rate(0.5, SlidingWindow::count(100), 100));
    calls(&breaker, 1_000, Outcome::SUCCESS);
    calls(&breaker, 49, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().counts.calls, 100);
}

// axum applies a layer once for each route; a peer's layer makes a new circuit each time, none of
// which ever sees enough failures.
#[tokio::test]
async fn defect_07_a_layer_that_is_applied_many_times_is_one_circuit() {
    let (breaker, _) = live(plain().failure_threshold(10));
    let layer = CircuitBreakerLayer::new(breaker.clone());
    for _ in 0..10 {
        assert_eq!(breaker.state(), State::Closed);
        let mut service = layer.layer(service_fn(async |()| Err::<(), _>("no")));
        service.ready().await.unwrap().call(()).await.unwrap_err();
    }
    assert_eq!(breaker.state(), State::Open);
}

// A peer keeps a record for each call of a time window and scans them for each verdict: 168 µs a
// call at 114,000 calls in 10 s. Two million calls would not finish here.
#[test]
fn defect_09_a_time_window_stays_exact_at_two_million_calls_in_ten_seconds() {
    let window = SlidingWindow::time(secs(10));
    let (breaker, clock) = live(rate(0.5, window, 20));
    for call in 0..2_000_000_u32 {
        if call % 2_000 == 0 {
            clock.advance(ms(10));
        }
        admitted(&breaker).record(Outcome::failure_if(call % 4 == 0));
    }
    // Whole slices are in: the newest, which has just begun, and the nine seconds before it.
    let counts = breaker.snapshot().counts;
    assert_eq!((counts.calls, counts.failures), (1_802_000, 450_500));
    assert_eq!(breaker.admitted(), 2_000_000);
    clock.advance(secs(10));
    assert_eq!(breaker.snapshot().counts.calls, 0);
}

// The same for a history that is replayed: the cost of a step is that of the slices it touches.
#[test]
fn defect_09_two_million_successes_a_slice_are_one_step() {
    let settings = rate(0.5, SlidingWindow::time(secs(10)), 20).build().unwrap();
    let mut circuit = Circuit::new(settings.into(), 1);
    let mut happened = Transitions::new();
    for second in 1..=100_000_u64 {
        let now = Moment::from_nanos(second * 1_000_000_000);
        assert_eq!(circuit.advance(2_000_000, now, &mut happened), 2_000_000);
    }
    assert_eq!(circuit.counts().calls, 20_000_000);
    assert!(happened.is_empty());
}

// A peer judges only a full window, whatever the minimum says.
#[test]
fn defect_10_the_minimum_counts_below_the_size_of_the_window() {
    let (breaker, _) = live(rate(0.5, SlidingWindow::count(100), 10));
    calls(&breaker, 9, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Open);
}

// A peer's `reset()` does nothing while the circuit is closed.
#[test]
fn defect_10_a_reset_clears_a_closed_circuit() {
    let both = rate(0.5, SlidingWindow::count(100), 10).failure_threshold(5);
    let (breaker, _) = live(both);
    calls(&breaker, 4, Outcome::FAILURE);
    breaker.reset();
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.consecutive_failures, snapshot.counts.calls), (0, 0));
    calls(&breaker, 4, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Open);
}

// A peer's `force_open` ends with the open time.
#[test]
fn defect_10_a_forced_open_circuit_stays_open_until_it_is_lifted() {
    let (breaker, clock) = live(plain());
    breaker.force_open();
    for _ in 0..100 {
        clock.advance(secs(30 * 24 * 60 * 60));
        assert_eq!(rejected(&breaker).state, State::ForcedOpen);
    }
    breaker.lift_override();
    calls(&breaker, 1, Outcome::SUCCESS);
}

// Peers keep the circuit of every key that was ever seen.
#[test]
fn defect_18_circuits_of_idle_keys_are_evicted() {
    let clock = ManualClock::new();
    let map = BreakerMap::builder().idle_timeout(secs(60)).clock(clock.clone()).build().unwrap();
    for key in 0..1_000 {
        calls(&map.breaker(&format!("tenant-{key}")), 1, Outcome::SUCCESS);
    }
    assert_eq!(map.len(), 1_000);
    map.evict_idle();
    clock.advance(secs(60));
    map.evict_idle();
    assert_eq!((map.len(), map.evicted()), (0, 1_000));
}
