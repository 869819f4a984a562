//! Calls in flight that are already slow.

use std::{
    future::{Future, pending},
    pin::Pin,
    task::{Context, Waker},
};

use tower::{BoxError, Layer, Service, service_fn};
use tower_breaker::{
    Breaker, CircuitBreakerLayer, Outcome, Permit, State,
    circuit::{SettingsBuilder, TripReason},
};

use crate::support::*;

/// When every call of a second is noticed: up to a quarter later.
const NOTICED: std::time::Duration = ms(1_251);

fn hanging(breaker: &Breaker, calls: usize) -> Vec<Permit> {
    (0..calls).map(|_| admitted(breaker)).collect()
}

fn settings() -> SettingsBuilder {
    slow_rate(0.5, 10, 4)
}

#[test]
fn calls_that_hang_open_the_circuit_before_they_return() {
    let (breaker, clock) = live(settings());
    let hang = hanging(&breaker, 4);
    clock.advance(NOTICED);
    breaker.handle_deadline();
    let reason = TripReason::SlowCallRate { slow_calls: 4, calls: 4, in_flight: 4, threshold: 0.5 };
    assert_eq!(breaker.snapshot().trip_reason, Some(reason));
    // They come late, and are not counted again.
    hang.into_iter().for_each(Permit::success);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.late), (State::Open, 4));
}

#[test]
fn a_call_that_comes_along_notices_the_ones_that_hang() {
    let (breaker, clock) = live(settings());
    let _hang = hanging(&breaker, 4);
    clock.advance(NOTICED);
    // This one was admitted; that it was asked shows what the others came to.
    let _asks = breaker.try_acquire();
    assert_eq!(breaker.state(), State::Open);
    rejected(&breaker);
}

#[test]
fn a_success_that_comes_along_notices_the_ones_that_hang() {
    let (breaker, clock) = live(settings());
    let fast = admitted(&breaker);
    let _hang = hanging(&breaker, 4);
    clock.advance(secs(1) - NANO);
    fast.success();
    assert_eq!(breaker.state(), State::Closed);
    clock.advance(NOTICED);
    calls(&breaker, 1, Outcome::SUCCESS);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn calls_in_flight_are_not_slow_too_early() {
    let (breaker, clock) = live(settings());
    let _hang = hanging(&breaker, 4);
    clock.advance(secs(1) - NANO);
    breaker.handle_deadline();
    assert_eq!(breaker.snapshot().slow_calls_in_flight, 0);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_call_in_flight_counts_once() {
    let (breaker, clock) = live(settings());
    calls(&breaker, 7, Outcome::SUCCESS);
    let hang = hanging(&breaker, 3);
    clock.advance(NOTICED);
    breaker.handle_deadline();
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.slow_calls_in_flight, snapshot.counts.slow_calls), (3, 0));
    for (ended, permit) in (1..).zip(hang) {
        permit.success();
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.slow_calls_in_flight, 3 - ended);
        assert_eq!(snapshot.counts.slow_calls, u64::from(ended));
        assert_eq!(snapshot.state, State::Closed);
    }
}

#[test]
fn calls_that_hang_count_for_the_minimum_too() {
    let (breaker, clock) = live(settings());
    calls(&breaker, 2, Outcome::SUCCESS);
    let hang = hanging(&breaker, 1);
    clock.advance(NOTICED);
    breaker.handle_deadline();
    assert_eq!(breaker.state(), State::Closed);
    let more = hanging(&breaker, 1);
    clock.advance(NOTICED);
    breaker.handle_deadline();
    // Two of four.
    assert_eq!(breaker.state(), State::Open);
    drop((hang, more));
}

#[test]
fn calls_in_flight_count_for_nothing_where_that_is_off() {
    for settings in [settings().slow_calls_in_flight(false), plain()] {
        let (breaker, clock) = live(settings);
        let _hang = hanging(&breaker, 100);
        clock.advance(secs(1_000));
        breaker.handle_deadline();
        calls(&breaker, 1, Outcome::SUCCESS);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.slow_calls_in_flight), (State::Closed, 0));
        assert_eq!(breaker.poll_deadline(), None);
    }
}

#[test]
fn calls_of_an_earlier_generation_count_for_nothing() {
    let (breaker, clock) = live(settings());
    let _hang = hanging(&breaker, 4);
    breaker.reset();
    clock.advance(NOTICED);
    breaker.handle_deadline();
    assert_eq!(breaker.snapshot().slow_calls_in_flight, 0);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_call_that_hangs_and_is_dropped_is_a_failure_and_not_in_flight_any_more() {
    let (breaker, clock) = live(settings());
    let hang = hanging(&breaker, 2);
    clock.advance(NOTICED);
    drop(hang);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.slow_calls_in_flight, snapshot.failed), (0, 2));
    assert_eq!(snapshot.counts.slow_calls, 2);
}

#[test]
fn the_deadline_is_when_the_next_call_in_flight_becomes_slow_and_then_zero() {
    let (breaker, clock) = live(settings());
    assert_eq!(breaker.poll_deadline(), None);
    let _hang = hanging(&breaker, 4);
    let left = breaker.poll_deadline().expect("calls are in flight");
    assert!((secs(1)..=NOTICED).contains(&left), "{left:?}");
    clock.advance(left - NANO);
    breaker.handle_deadline();
    assert_eq!(breaker.state(), State::Closed);
    clock.advance(NANO);
    assert_eq!(breaker.poll_deadline(), Some(secs(0)));
    breaker.handle_deadline();
    assert_eq!((breaker.state(), breaker.poll_deadline()), (State::Open, None));
}

// Whoever looks at a breaker each second must not be the reason that nobody judges it.
#[test]
fn reading_the_breaker_does_not_put_off_what_calls_in_flight_bring() {
    let (breaker, clock) = live(settings());
    let _hang = hanging(&breaker, 4);
    clock.advance(NOTICED);
    assert_eq!(breaker.snapshot().slow_calls_in_flight, 4);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, Outcome::SUCCESS);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_driver_still_sees_what_is_due_after_somebody_looked() {
    let (breaker, clock) = live(settings());
    let _hang = hanging(&breaker, 4);
    clock.advance(NOTICED);
    let _ = breaker.snapshot();
    assert_eq!(breaker.poll_deadline(), Some(secs(0)));
    breaker.handle_deadline();
    assert_eq!(breaker.state(), State::Open);
}

type Call = Pin<Box<dyn Future<Output = Result<(), BoxError>>>>;

#[test]
fn futures_of_a_service_are_in_flight_once_they_pend() {
    let (breaker, clock) = live(settings());
    let inner = service_fn(|()| pending::<Result<(), BoxError>>());
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(inner);
    let mut cx = Context::from_waker(Waker::noop());
    let mut hang: Vec<Call> = Vec::new();
    for _ in 0..4 {
        assert!(service.poll_ready(&mut cx).is_ready());
        hang.push(Box::pin(service.call(())));
    }
    clock.advance(NOTICED);
    breaker.handle_deadline();
    assert_eq!(breaker.snapshot().slow_calls_in_flight, 0, "nobody polled them");

    for call in &mut hang {
        // Polled twice, in flight once.
        assert!(call.as_mut().poll(&mut cx).is_pending());
        assert!(call.as_mut().poll(&mut cx).is_pending());
    }
    // They are as old as their calls, and slow at once.
    assert_eq!(breaker.snapshot().slow_calls_in_flight, 4);
    breaker.handle_deadline();
    assert_eq!(breaker.snapshot().trip_reason.unwrap().as_str(), "slow_call_rate");
}
