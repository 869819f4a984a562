//! Breakers within breakers.

use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_breaker::{Breaker, CircuitBreakerLayer, Rejected, State, error};

use crate::{inner::Inner, support::*};

async fn call<S>(service: &mut S) -> BoxError
where
    S: Service<u32, Response = u32, Error = BoxError>,
{
    service.ready().await.unwrap().call(7).await.unwrap_err()
}

fn two() -> (Breaker, Breaker) {
    (live(plain()).0, live(plain().failure_threshold(3)).0)
}

#[tokio::test]
async fn a_rejection_from_further_in_is_ignored_further_out() {
    let (outer, within) = two();
    let inner = Inner::<u32>::default();
    inner.fail(true);
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(outer.clone()))
        .layer(CircuitBreakerLayer::new(within.clone()))
        .service(inner);
    for _ in 0..100 {
        call(&mut service).await;
    }
    assert_eq!((within.state(), outer.state()), (State::Open, State::Closed));
    let snapshot = outer.snapshot();
    assert_eq!((snapshot.failed, snapshot.ignored), (3, 97));
}

#[tokio::test]
async fn a_rejection_is_ignored_whatever_the_classifier_says_and_however_it_is_wrapped() {
    let (outer, within) = two();
    trip(&within);
    let wrapped = |rejected: Rejected| std::io::Error::other(rejected);
    let inner = service_fn(async |_: u32| Err::<u32, BoxError>(wrapped(rejected(&within)).into()));
    let mut service = CircuitBreakerLayer::new(outer.clone())
        .classify(|_: Result<&u32, &BoxError>| true)
        .layer(inner);
    for _ in 0..10 {
        assert!(error::rejected(&*call(&mut service).await).is_some());
    }
    assert_eq!((outer.state(), outer.snapshot().failed), (State::Closed, 0));
}

#[tokio::test]
async fn a_rejection_as_the_error_itself_and_in_an_io_error_is_ignored() {
    let (outer, within) = two();
    trip(&within);
    let mut typed = CircuitBreakerLayer::new(outer.clone())
        .layer(service_fn(async |_: u32| Err::<u32, _>(rejected(&within))));
    let mut io = CircuitBreakerLayer::new(outer.clone())
        .layer(service_fn(async |_: u32| Err::<u32, _>(std::io::Error::other(rejected(&within)))));
    for _ in 0..10 {
        call(&mut typed).await;
        call(&mut io).await;
    }
    assert_eq!(outer.state(), State::Closed);
}

#[tokio::test]
async fn a_probe_that_is_rejected_further_in_returns_its_place() {
    let (outer, clock) = live(plain().permitted_calls_in_half_open(1));
    let (within, _) = live(plain());
    trip(&outer);
    trip(&within);
    wait_out(&outer, &clock);
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(outer.clone()))
        .layer(CircuitBreakerLayer::new(within.clone()))
        .service(Inner::<u32>::default());
    for _ in 0..10 {
        call(&mut service).await;
        assert_eq!(outer.state(), State::HalfOpen);
    }
    within.reset();
    assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
    assert_eq!(outer.state(), State::Closed);
}

#[tokio::test]
async fn the_rejection_that_is_found_is_that_of_the_breaker_that_rejected() {
    let outer = Breaker::builder("gateway").build().unwrap();
    let within = Breaker::builder("database").build().unwrap();
    within.force_open();
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(outer.clone()))
        .layer(CircuitBreakerLayer::new(within))
        .service(Inner::<u32>::default());
    let found = call(&mut service).await;
    assert_eq!(error::rejected(&*found).unwrap().service.as_str(), "database");
    outer.force_open();
    let found = call(&mut service).await;
    assert_eq!(error::rejected(&*found).unwrap().service.as_str(), "gateway");
}
