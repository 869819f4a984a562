//! Permits: generations, calls that are dropped, calls that panic.

use std::{
    future::{Future, pending},
    panic::AssertUnwindSafe,
    pin::pin,
    task::{Context, Poll, Waker},
};

use futures_util::FutureExt;
use tower_breaker::{Breaker, Outcome, Permit, State, breaker::EventKind, circuit::Booking};

use crate::{circuit::Pure, support::*};

#[test]
fn a_result_from_another_generation_counts_and_decides_nothing() {
    let (breaker, _) = live(plain().failure_threshold(1));
    let early: Vec<Permit> = (0..4).map(|_| admitted(&breaker)).collect();
    breaker.reset();
    let mut events = breaker.subscribe();
    for (permit, outcome) in early.into_iter().zip([
        Outcome::FAILURE,
        Outcome::SUCCESS,
        Outcome::RATE_ONLY,
        Outcome::FAILURE.with_retry_after(secs(500)),
    ]) {
        permit.record(outcome);
    }
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.consecutive_failures), (State::Closed, 0));
    assert_eq!((snapshot.late, snapshot.failed), (4, 3));
    let (told, _) = drain(&mut events);
    assert_eq!(told.len(), 4);
    for event in told {
        let EventKind::Call(record) = event else { panic!("{event:?}") };
        assert!(record.late && record.generation == 1);
    }
    calls(&breaker, 1, Outcome::FAILURE);
    assert_eq!(breaker.snapshot().remaining, Some(secs(60)));
}

#[test]
fn a_late_success_does_not_end_a_run_of_failures() {
    let (breaker, _) = live(plain());
    let early = admitted(&breaker);
    breaker.reset();
    calls(&breaker, 4, Outcome::FAILURE);
    early.success();
    calls(&breaker, 1, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_call_dropped_once_it_was_slow_is_a_failure_though_the_slow_rate_is_off() {
    let (breaker, clock) = live(plain());
    for _ in 0..5 {
        let permit = admitted(&breaker);
        clock.advance(secs(10));
        drop(permit);
    }
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().trip_reason.unwrap().as_str(), "consecutive_failures");
}

#[test]
fn a_call_dropped_before_it_was_slow_is_ignored() {
    let (breaker, clock) = live(plain().failure_threshold(1));
    let permit = admitted(&breaker);
    clock.advance(secs(10) - NANO);
    drop(permit);
    assert_eq!(breaker.snapshot().consecutive_failures, 0);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_probe_dropped_once_it_was_slow_is_a_failed_probe() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let probe = first_probe(&breaker, &clock);
    clock.advance(secs(10));
    drop(probe);
    assert_eq!(breaker.snapshot().trip_reason.unwrap().as_str(), "probes_failed");
}

#[test]
fn the_pure_circuit_cancels_as_the_live_one_drops() {
    let mut pure = Pure::new(plain().failure_threshold(1));
    let generation = pure.admit();
    let (now, out) = (pure.now, &mut pure.out);
    let short = pure.circuit.cancel(generation, secs(10) - NANO, now, out);
    assert_eq!(short, Booking::Ignored);
    let long = pure.circuit.cancel(generation, secs(10), now, out);
    assert!(matches!(long, Booking::Counted { .. }), "{long:?}");
    assert_eq!(pure.circuit.state(), State::Open);
}

/// Polls once; the future goes on.
fn begin<F: Future>(future: std::pin::Pin<&mut F>) {
    assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[test]
fn a_future_that_is_dropped_lives_from_its_first_pending_poll() {
    let (breaker, clock) = live(plain().failure_threshold(1));
    {
        let mut call = pin!(breaker.call(async || pending::<Result<(), ()>>().await));
        begin(call.as_mut());
        clock.advance(secs(10) - NANO);
        begin(call.as_mut());
    }
    assert_eq!(breaker.state(), State::Closed);
    {
        let mut call = pin!(breaker.call(async || pending::<Result<(), ()>>().await));
        begin(call.as_mut());
        clock.advance(secs(10));
        begin(call.as_mut());
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_call_whose_future_is_never_polled_was_never_admitted() {
    let (breaker, _) = live(plain());
    drop(breaker.call(async || Ok::<_, ()>(())));
    assert_eq!(breaker.admitted(), 0);
}

#[tokio::test]
async fn a_panic_in_the_call_is_a_failure_and_goes_on_unwinding() {
    async fn boom(breaker: &Breaker) {
        let call = breaker.call(async || -> Result<(), ()> {
            tokio::task::yield_now().await;
            panic!("boom")
        });
        let panic = AssertUnwindSafe(call).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"boom"));
    }
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    for _ in 0..5 {
        boom(&breaker).await;
    }
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().failed, 5);
    wait_out(&breaker, &clock);
    boom(&breaker).await;
    assert_eq!(breaker.snapshot().reopens, 1);
    wait_out(&breaker, &clock);
    assert_eq!(breaker.call(async || Ok::<_, ()>(3)).await, Ok(3));
    assert_eq!(breaker.state(), State::Closed);
}

// `thread::panicking` would take it for a panic of the call.
#[test]
fn a_permit_that_is_dropped_while_something_else_unwinds_is_no_failure() {
    let (breaker, _) = live(plain().failure_threshold(1));
    let permit = admitted(&breaker);
    let unwound = std::panic::catch_unwind(AssertUnwindSafe(move || {
        let _permit = permit;
        panic!("of the caller");
    }));
    assert!(unwound.is_err());
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn admitted_counts_every_call_and_never_falls() {
    let (breaker, clock) = live(plain());
    let mut last = 0_u64;
    let mut grew = |by| {
        assert_eq!(breaker.admitted(), last + by);
        last += by;
    };
    calls(&breaker, 3, Outcome::SUCCESS);
    drop(admitted(&breaker));
    grew(4);
    trip(&breaker);
    grew(5);
    rejected(&breaker);
    breaker.reset();
    breaker.disable();
    breaker.lift_override();
    grew(0);
    trip(&breaker);
    wait_out(&breaker, &clock);
    calls(&breaker, 2, Outcome::SUCCESS);
    grew(7);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn failures_carry_their_ordinal_among_the_admitted_calls() {
    let (breaker, _) = live(plain());
    let mut events = breaker.subscribe();
    for successes in [2, 0, 5] {
        calls(&breaker, successes, Outcome::SUCCESS);
        calls(&breaker, 1, Outcome::FAILURE);
    }
    let ordinals: Vec<_> = drain(&mut events)
        .0
        .into_iter()
        .map(|event| match event {
            EventKind::Call(record) => record.admitted,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ordinals, [3, 4, 10]);
}

#[test]
fn a_permit_keeps_the_circuit_alive() {
    let (breaker, _) = live(plain());
    let permit = admitted(&breaker);
    drop(breaker);
    assert_eq!(permit.service().as_str(), "upstream");
    permit.failure();
}

#[tokio::test]
async fn call_with_asks_the_closure_what_a_result_means() {
    let (breaker, _) = live(plain().failure_threshold(1));
    let not_found =
        breaker.call_with(async || Err::<(), _>(404), |result| matches!(result, Err(500..))).await;
    assert_eq!(not_found.unwrap_err().into_inner(), Some(404));
    assert_eq!(breaker.state(), State::Closed);
    let server_error = breaker
        .call_with(async || Ok::<_, ()>(500), |_| Outcome::FAILURE.with_retry_after(secs(9)))
        .await;
    assert_eq!(server_error, Ok(500));
    assert_eq!(breaker.snapshot().remaining, Some(secs(9)));
    let poll =
        pin!(breaker.call(async || Ok::<_, ()>(1))).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(rejected)) = poll else { panic!("rejected at once") };
    assert!(rejected.is_rejected());
}
