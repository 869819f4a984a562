//! Buffers, timeouts and retries around the breaker and inside of it.

use std::{future::pending, time::Duration};

use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt,
    retry::{Policy, RetryLayer},
    service_fn,
    timeout::{TimeoutLayer, error::Elapsed},
};
use tower_breaker::{
    Breaker, CircuitBreakerLayer, State, breaker::clock::TokioClock, circuit::SettingsBuilder,
    error, retry::UnlessRejected,
};

use crate::{inner::Inner, support::*};

/// A breaker that follows tokio's paused time.
fn paused(settings: SettingsBuilder) -> Breaker {
    Breaker::builder("upstream")
        .settings(settings.build().unwrap())
        .clock(TokioClock::new())
        .build()
        .unwrap()
}

#[track_caller]
fn is_rejection(error: &BoxError) -> bool {
    error::rejected(&**error).is_some()
}

#[tokio::test]
async fn a_buffer_outside_hands_rejections_through() {
    let (breaker, _) = live(plain());
    let inner = Inner::<u32>::default();
    let service = ServiceBuilder::new()
        .buffer(8)
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .service(inner.clone());
    assert_eq!(service.clone().oneshot(7).await.unwrap(), 7);
    inner.fail(true);
    for _ in 0..5 {
        let error = service.clone().oneshot(7).await.unwrap_err();
        assert!(!is_rejection(&error), "{error}");
    }
    assert!(is_rejection(&service.clone().oneshot(7).await.unwrap_err()));
    assert_eq!((inner.calls(), breaker.state()), (6, State::Open));
}

#[tokio::test]
async fn a_buffer_inside_works() {
    let (breaker, _) = live(plain());
    let inner = Inner::<u32>::default();
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .buffer(8)
        .service(inner.clone());
    inner.fail(true);
    for _ in 0..5 {
        let error = service.ready().await.unwrap().call(7).await.unwrap_err();
        assert_eq!(error.to_string(), "failed");
    }
    assert!(is_rejection(&service.ready().await.unwrap().call(7).await.unwrap_err()));
    breaker.reset();
    inner.fail(false);
    assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside_fails_calls_that_hang() {
    let breaker = paused(plain());
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .timeout(secs(1))
        .service(service_fn(|()| pending::<Result<(), BoxError>>()));
    for _ in 0..5 {
        let error = service.ready().await.unwrap().call(()).await.unwrap_err();
        assert!(error.is::<Elapsed>());
    }
    assert!(is_rejection(&service.ready().await.unwrap().call(()).await.unwrap_err()));
}

/// Times out around the breaker, five times; what state that leaves it in.
async fn timed_out(settings: SettingsBuilder, timeout: Duration) -> State {
    let breaker = paused(settings);
    let stack = (TimeoutLayer::new(timeout), CircuitBreakerLayer::new(breaker.clone()));
    let service = stack.layer(service_fn(|()| pending::<Result<(), BoxError>>()));
    for _ in 0..5 {
        let error = service.clone().oneshot(()).await.unwrap_err();
        assert!(error.is::<Elapsed>());
    }
    breaker.state()
}

#[tokio::test(start_paused = true)]
async fn a_timeout_outside_a_service_that_hangs_opens_the_circuit() {
    assert_eq!(timed_out(plain(), secs(10)).await, State::Open);
    let as_long = plain().slow_call_duration_threshold(secs(1));
    assert_eq!(timed_out(as_long, secs(1)).await, State::Open);
    let shorter = plain().slow_call_duration_threshold(ms(300));
    assert_eq!(timed_out(shorter, secs(1)).await, State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_outside_that_is_shorter_than_a_slow_call_decides_nothing() {
    assert_eq!(timed_out(plain(), secs(9)).await, State::Closed);
}

#[tokio::test(start_paused = true)]
async fn probes_that_time_out_outside_fail_the_recovery() {
    let settings = plain().permitted_calls_in_half_open(1).slow_call_duration_threshold(secs(1));
    let breaker = paused(settings);
    let stack = (TimeoutLayer::new(secs(1)), CircuitBreakerLayer::new(breaker.clone()));
    let service = stack.layer(service_fn(|()| pending::<Result<(), BoxError>>()));
    trip(&breaker);
    tokio::time::sleep(secs(60)).await;
    assert!(service.oneshot(()).await.unwrap_err().is::<Elapsed>());
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.reopens), (State::Open, 1));
}

/// Retries every error so many times.
#[derive(Clone)]
struct Attempts(usize);

impl Policy<u32, u32, BoxError> for Attempts {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut u32, result: &mut Result<u32, BoxError>) -> Option<Self::Future> {
        if result.is_ok() || self.0 == 0 {
            return None;
        }
        self.0 -= 1;
        Some(std::future::ready(()))
    }

    fn clone_request(&mut self, request: &u32) -> Option<u32> {
        Some(*request)
    }
}

#[tokio::test]
async fn a_retry_outside_stops_at_a_rejection() {
    let (breaker, _) = live(plain().failure_threshold(3));
    let inner = Inner::<u32>::default();
    inner.fail(true);
    let mut service = ServiceBuilder::new()
        .layer(RetryLayer::new(UnlessRejected::new(Attempts(10))))
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .service(inner.clone());
    let error = service.ready().await.unwrap().call(7).await.unwrap_err();
    assert!(is_rejection(&error));
    // Three attempts were made; the fourth was rejected, and there was no fifth.
    assert_eq!((inner.calls(), breaker.snapshot().rejected), (3, 1));
    let error = service.ready().await.unwrap().call(7).await.unwrap_err();
    assert!(is_rejection(&error));
    assert_eq!((inner.calls(), breaker.snapshot().rejected), (3, 2));
}

#[tokio::test]
async fn a_retry_outside_that_retries_everything_runs_into_the_open_circuit() {
    let (breaker, _) = live(plain().failure_threshold(3));
    let inner = Inner::<u32>::default();
    inner.fail(true);
    let mut service = ServiceBuilder::new()
        .layer(RetryLayer::new(Attempts(10)))
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .service(inner.clone());
    service.ready().await.unwrap().call(7).await.unwrap_err();
    assert_eq!((inner.calls(), breaker.snapshot().rejected), (3, 8));
}

#[tokio::test]
async fn a_retry_outside_goes_on_asking_its_policy_about_other_errors() {
    let (breaker, _) = live(plain());
    let inner = Inner::<u32>::default();
    inner.fail(true);
    let mut service = ServiceBuilder::new()
        .layer(RetryLayer::new(UnlessRejected::new(Attempts(2))))
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .service(inner.clone());
    let error = service.ready().await.unwrap().call(7).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), inner.calls()), ("failed", 3));
    inner.fail(false);
    assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
}

#[tokio::test]
async fn a_retry_inside_is_one_call() {
    let (breaker, _) = live(plain());
    let inner = Inner::<u32>::default();
    inner.fail(true);
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .layer(RetryLayer::new(Attempts(2)))
        .service(inner.clone());
    service.ready().await.unwrap().call(7).await.unwrap_err();
    assert_eq!((inner.calls(), breaker.snapshot().failed), (3, 1));
}
