//! The services, errors and futures that a breaker can be put around.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    marker::PhantomPinned,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Router, body::Body, http::StatusCode, routing::get};
use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn,
    util::{BoxCloneSyncService, BoxService},
};
use tower_breaker::{
    Breaker, BreakerMap, CircuitBreaker, CircuitBreakerLayer, Outcome, Permit, Rejected, Settings,
    State,
    breaker::{BreakerBuilder, Event, Events, Snapshot},
    circuit::Circuit,
    error,
    service::{Keyed, ResponseFuture},
};

use crate::{inner::Inner, support::*};

/// An error of somebody's own that is no `std::error::Error`.
#[derive(Clone, Debug, PartialEq)]
enum Plain {
    Broken,
    Busy(Option<u64>),
}

/// Neither `Clone` nor `Unpin`, nor its future.
struct Odd(PhantomPinned);

struct OddFuture(PhantomPinned);

impl Future for OddFuture {
    type Output = Result<&'static str, Plain>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok("odd"))
    }
}

impl Service<()> for Odd {
    type Response = &'static str;
    type Error = Plain;
    type Future = OddFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Plain>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> OddFuture {
        OddFuture(PhantomPinned)
    }
}

fn busy(rejected: Rejected) -> Result<&'static str, Plain> {
    Err(Plain::Busy(rejected.retry_after.map(|after| after.as_secs())))
}

#[tokio::test]
async fn a_plain_error_and_a_service_that_is_neither_clone_nor_unpin() {
    let (breaker, _) = live(plain());
    let mut service =
        CircuitBreakerLayer::new(breaker.clone()).reject_with(busy).layer(Odd(PhantomPinned));
    assert_eq!(service.ready().await.unwrap().call(()).await, Ok("odd"));
    trip(&breaker);
    let rejected = service.ready().await.unwrap().call(()).await;
    assert_eq!(rejected, Err(Plain::Busy(Some(60))));
}

#[tokio::test]
async fn reject_with_keeps_the_errors_of_the_inner_service() {
    let (breaker, _) = live(plain());
    let service = CircuitBreakerLayer::new(breaker.clone())
        .reject_with(busy)
        .layer(service_fn(async |()| Err::<&str, _>(Plain::Broken)));
    for _ in 0..5 {
        assert_eq!(service.clone().oneshot(()).await, Err(Plain::Broken));
    }
    assert_eq!(service.clone().oneshot(()).await, Err(Plain::Busy(Some(60))));
}

#[tokio::test]
async fn reject_with_may_answer_with_a_response_which_is_not_classified() {
    let (breaker, _) = live(plain());
    trip(&breaker);
    let service = CircuitBreakerLayer::new(breaker.clone())
        .classify(|_: Result<&String, &Infallible>| true)
        .reject_with(|rejected: Rejected| Ok::<_, Infallible>(rejected.to_string()))
        .layer(service_fn(async |()| Ok::<_, Infallible>(String::new())));
    let Ok(answer) = service.oneshot(()).await;
    assert_eq!(answer, "call to `upstream` rejected: the circuit is open");
    assert_eq!(breaker.snapshot().failed, 5);
}

#[tokio::test]
async fn a_fallback_is_given_the_request_and_the_rejection_and_may_take_its_time() {
    let (breaker, _) = live(plain());
    let service = CircuitBreakerLayer::new(breaker.clone())
        .fallback(|request: u32, rejected: Rejected| async move {
            tokio::task::yield_now().await;
            match request {
                0 => Err(BoxError::from(rejected)),
                _ => Ok(request * 10),
            }
        })
        .layer(Inner::<u32>::default());
    assert_eq!(service.clone().oneshot(7).await.unwrap(), 7);
    trip(&breaker);
    assert_eq!(service.clone().oneshot(7).await.unwrap(), 70);
    let error = service.clone().oneshot(0).await.unwrap_err();
    assert_eq!(error::rejected(&*error).unwrap().retry_after, Some(secs(60)));
}

#[tokio::test]
async fn a_box_error_stays_what_it_was() {
    let (breaker, _) = live(plain());
    let service = CircuitBreakerLayer::new(breaker).layer(service_fn(async |()| {
        Err::<(), BoxError>(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into())
    }));
    let error = service.oneshot(()).await.unwrap_err();
    let io = error.downcast_ref::<std::io::Error>().expect("not boxed twice");
    assert_eq!(io.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_std_error_is_boxed_once() {
    let (breaker, _) = live(plain());
    let service = CircuitBreakerLayer::new(breaker)
        .layer(service_fn(async |()| Err::<(), _>(std::fmt::Error)));
    assert!(service.oneshot(()).await.unwrap_err().is::<std::fmt::Error>());
}

async fn status(router: &Router, path: &str) -> StatusCode {
    let request = axum::http::Request::get(path).body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap().status()
}

// axum's services have no errors, and it applies a layer once for each route.
#[tokio::test]
async fn an_axum_router_is_one_circuit() {
    let (breaker, _) = live(plain());
    let layer = CircuitBreakerLayer::new(breaker.clone())
        .classify(|result: Result<&axum::response::Response, &Infallible>| {
            result.is_ok_and(|response| response.status().is_server_error())
        })
        .reject_with(|_| {
            let mut response = axum::response::Response::new(Body::empty());
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            Ok(response)
        });
    let router = Router::new()
        .route("/fine", get(async || "fine"))
        .route("/a", get(async || StatusCode::BAD_GATEWAY))
        .route("/b", get(async || StatusCode::BAD_GATEWAY))
        .layer(layer);
    assert_eq!(status(&router, "/fine").await, StatusCode::OK);
    for path in ["/a", "/b", "/a", "/b", "/a"] {
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(status(&router, path).await, StatusCode::BAD_GATEWAY);
    }
    assert_eq!(status(&router, "/fine").await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_outcome_or_a_bool_classifies() {
    let (breaker, _) = live(plain().failure_threshold(1));
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let inner = service_fn(async |number: u32| Ok::<_, BoxError>(number));
    let outcome = layer.clone().classify(|result: Result<&u32, &BoxError>| match result {
        Ok(0) => Outcome::IGNORED,
        Ok(_) => Outcome::SUCCESS,
        Err(_) => Outcome::FAILURE,
    });
    outcome.layer(inner).oneshot(0).await.unwrap();
    assert_eq!(breaker.snapshot().ignored, 1);
    layer.clone().classify(|result| result.is_err()).layer(inner).oneshot(0).await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
    let even = |result: Result<&u32, &BoxError>| result.is_ok_and(|number| number % 2 == 0);
    layer.failure_if(even).layer(inner).oneshot(2).await.unwrap();
    assert_eq!(breaker.state(), State::Open);
}

fn send<T: Send>() {}
fn send_and_sync<T: Send + Sync>() {}
fn sends<T: Send>(value: T) -> T {
    value
}

#[test]
fn what_has_to_be_send_is() {
    send_and_sync::<Breaker>();
    send_and_sync::<BreakerMap>();
    send_and_sync::<Permit>();
    send_and_sync::<Settings>();
    send_and_sync::<Circuit>();
    send_and_sync::<Snapshot>();
    send_and_sync::<Rejected>();
    send_and_sync::<Event>();
    send_and_sync::<Events>();
    send::<BreakerBuilder>();
    send_and_sync::<CircuitBreakerLayer>();
    send_and_sync::<CircuitBreaker<Inner>>();
    send_and_sync::<CircuitBreaker<Inner, Keyed<BreakerMap, fn(&u32) -> std::borrow::Cow<'_, str>>>>(
    );
    type Answer = Ready<Result<(), BoxError>>;
    send_and_sync::<ResponseFuture<Answer, Answer, (), ()>>();
}

#[tokio::test]
async fn calls_can_be_spawned_and_boxed() {
    let (breaker, _) = live(plain());
    let spawned = {
        let breaker = breaker.clone();
        tokio::spawn(async move {
            breaker
                .call(async || {
                    tokio::task::yield_now().await;
                    Ok::<_, BoxError>(1)
                })
                .await
        })
    };
    assert_eq!(spawned.await.unwrap().unwrap(), 1);
    drop(sends(breaker.subscribe().recv()));

    let service = CircuitBreakerLayer::new(breaker).layer(Inner::<u32>::default());
    let cloned = BoxCloneSyncService::new(service.clone());
    assert_eq!(tokio::spawn(cloned.oneshot(7)).await.unwrap().unwrap(), 7);
    let boxed = BoxService::new(service);
    assert_eq!(tokio::spawn(boxed.oneshot(7)).await.unwrap().unwrap(), 7);
}

#[tokio::test]
async fn a_service_builder_takes_the_layer_optionally_too() {
    for layer in [Some(CircuitBreakerLayer::new(live(plain()).0)), None] {
        let service = ServiceBuilder::new().option_layer(layer).service(Inner::<u32>::default());
        assert_eq!(service.oneshot(7).await.unwrap(), 7);
    }
    let by_value = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(live(plain()).0))
        .service_fn(|number: u32| ready(Ok::<_, BoxError>(number)));
    assert_eq!(by_value.oneshot(7).await.unwrap(), 7);
}
