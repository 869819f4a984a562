//! Inner services that panic.

use std::{
    future::{Ready, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll, Waker},
};

use futures_util::FutureExt;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_breaker::{CircuitBreakerLayer, State, error};

use crate::support::*;

/// Panics where it is told to.
#[derive(Clone)]
struct Panics {
    in_poll_ready: bool,
}

impl Service<()> for Panics {
    type Response = ();
    type Error = BoxError;
    type Future = Ready<Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        assert!(!self.in_poll_ready, "in poll_ready");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        panic!("in call");
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<&str>().expect("a message")
}

#[test]
fn a_panic_in_call_is_a_failure_and_goes_on_unwinding() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let mut service =
        CircuitBreakerLayer::new(breaker.clone()).layer(Panics { in_poll_ready: false });
    let mut cx = Context::from_waker(Waker::noop());
    let mut boom = || {
        assert!(service.poll_ready(&mut cx).is_ready());
        let panic = catch_unwind(AssertUnwindSafe(|| drop(service.call(())))).unwrap_err();
        assert_eq!(message(&*panic), "in call");
    };
    (0..5).for_each(|_| boom());
    assert_eq!((breaker.state(), breaker.snapshot().failed), (State::Open, 5));
    wait_out(&breaker, &clock);
    boom();
    assert_eq!(breaker.snapshot().reopens, 1);
    wait_out(&breaker, &clock);
    admitted(&breaker).success();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_panic_in_the_future_is_a_failure_and_goes_on_unwinding() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let service =
        CircuitBreakerLayer::new(breaker.clone()).layer(service_fn(async |panics: bool| {
            tokio::task::yield_now().await;
            assert!(!panics, "in the future");
            Ok::<_, BoxError>(())
        }));
    for _ in 0..5 {
        let call = AssertUnwindSafe(service.clone().oneshot(true));
        let panic = call.catch_unwind().await.unwrap_err();
        assert_eq!(message(&*panic), "in the future");
    }
    assert_eq!((breaker.state(), breaker.snapshot().failed), (State::Open, 5));
    wait_out(&breaker, &clock);
    service.oneshot(false).await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_panic_of_readiness_belongs_to_no_call() {
    let (breaker, _) = live(plain().failure_threshold(1));
    let mut service =
        CircuitBreakerLayer::new(breaker.clone()).layer(Panics { in_poll_ready: true });
    let mut cx = Context::from_waker(Waker::noop());
    let panic = catch_unwind(AssertUnwindSafe(|| drop(service.poll_ready(&mut cx)))).unwrap_err();
    assert_eq!(message(&*panic), "in poll_ready");
    assert_eq!((breaker.state(), breaker.admitted()), (State::Closed, 0));
}

// The worker of a buffer dies of a panic; from then on its callers get an error.
#[tokio::test]
async fn a_buffer_inside_that_died_of_a_panic_opens_the_circuit() {
    let (breaker, _) = live(plain());
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .buffer(8)
        .service(Panics { in_poll_ready: false });
    let mut errors = Vec::new();
    for _ in 0..6 {
        match service.ready().await {
            Ok(ready) => errors.push(ready.call(()).await.unwrap_err()),
            Err(error) => errors.push(error),
        }
    }
    assert_eq!((breaker.state(), breaker.snapshot().failed), (State::Open, 5));
    assert!(error::rejected(&**errors.last().unwrap()).is_some());
}

#[tokio::test]
async fn reject_with_may_panic_without_harm_to_the_circuit() {
    let (breaker, _) = live(plain());
    trip(&breaker);
    let layer = CircuitBreakerLayer::new(breaker.clone())
        .reject_with(|_| -> Result<(), BoxError> { panic!("in reject_with") });
    let mut service = layer.layer(service_fn(|()| ready(Ok::<_, BoxError>(()))));
    service.ready().await.unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| drop(service.call(())))).unwrap_err();
    assert_eq!(message(&*panic), "in reject_with");
    breaker.reset();
    service.ready().await.unwrap().call(()).await.unwrap();
}
