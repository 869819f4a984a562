//! Calls that are dropped, wherever they are.

use std::{future::Future, pin::pin, task::Context};

use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_breaker::{Breaker, CircuitBreakerLayer, State, breaker::clock::ManualClock};

use crate::{inner::Inner, support::*};

fn half_open() -> (Breaker, ManualClock) {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    drop(first_probe(&breaker, &clock));
    (breaker, clock)
}

/// Polls a call so many times and drops it.
fn give_up_after<F: Future>(polls: usize, call: F) {
    let mut call = pin!(call);
    for _ in 0..polls {
        assert!(
            call.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending()
        );
    }
}

#[test]
fn a_probe_that_is_dropped_at_any_point_gives_its_place_back() {
    let (breaker, _) = half_open();
    let inner = Inner::<u32>::default();
    inner.pend(5);
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(inner.clone());
    let mut cx = Context::from_waker(std::task::Waker::noop());
    for polls in 0..=5 {
        assert!(Service::<u32>::poll_ready(&mut service, &mut cx).is_ready());
        let call = service.call(7);
        // The place is taken from the call on, polled or not.
        rejected(&breaker);
        give_up_after(polls, call);
        assert_eq!(breaker.state(), State::HalfOpen);
        drop(admitted(&breaker));
    }
    assert_eq!(inner.calls(), 6);
    assert_eq!(breaker.snapshot().counts.calls, 0);
}

#[test]
fn a_call_that_is_dropped_early_at_any_point_decides_nothing() {
    let (breaker, _) = live(plain().failure_threshold(1));
    let inner = Inner::<u32>::default();
    inner.pend(5);
    let service = CircuitBreakerLayer::new(breaker.clone()).layer(inner);
    for polls in 0..=5 {
        give_up_after(polls, service.clone().oneshot(7));
    }
    assert_eq!((breaker.state(), breaker.snapshot().failed), (State::Closed, 0));
}

#[test]
fn a_call_that_hung_is_a_failure_wherever_it_is_dropped_after_its_first_poll() {
    for polls in 1..=5 {
        let (breaker, clock) = live(plain().failure_threshold(1));
        let inner = Inner::<u32>::default();
        inner.pend(10);
        let service = CircuitBreakerLayer::new(breaker.clone()).layer(inner);
        {
            let mut call = pin!(service.oneshot(7));
            give_up_after(polls, &mut call);
            clock.advance(secs(10));
        }
        assert_eq!(breaker.state(), State::Open, "{polls}");
    }
}

// A task is cancelled by its runtime, wherever it awaits.
#[tokio::test(start_paused = true)]
async fn a_task_that_is_aborted_gives_its_place_back() {
    let (breaker, _) = half_open();
    let hangs = service_fn(async |()| std::future::pending::<Result<(), BoxError>>().await);
    let service = CircuitBreakerLayer::new(breaker.clone()).layer(hangs);
    for _ in 0..10 {
        let task = tokio::spawn(service.clone().oneshot(()));
        tokio::task::yield_now().await;
        rejected(&breaker);
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        drop(admitted(&breaker));
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_behind_a_buffer_gives_its_place_back() {
    let (breaker, _) = half_open();
    let hangs = service_fn(async |()| std::future::pending::<Result<(), BoxError>>().await);
    let service = ServiceBuilder::new()
        .buffer(8)
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .service(hangs);
    for wait in [ms(0), ms(1), ms(50)] {
        let gone = tokio::time::timeout(wait, service.clone().oneshot(())).await;
        assert!(gone.is_err());
        // The buffer's worker may have yet to see it.
        tokio::time::sleep(ms(1)).await;
        drop(admitted(&breaker));
    }
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_call_and_a_fallback_may_be_dropped_as_well() {
    let (breaker, _) = live(plain());
    trip(&breaker);
    let layer = CircuitBreakerLayer::new(breaker.clone()).fallback(|request: u32, _| async move {
        tokio::task::yield_now().await;
        Ok::<_, BoxError>(request)
    });
    let mut service = layer.layer(Inner::<u32>::default());
    for polls in 0..=1 {
        let ready = ServiceExt::<u32>::ready(&mut service).await.unwrap();
        give_up_after(polls, ready.call(7));
    }
    breaker.reset();
    assert_eq!(ServiceExt::<u32>::ready(&mut service).await.unwrap().call(7).await.unwrap(), 7);
}
