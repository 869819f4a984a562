//! The breaker in front of the handlers of an axum server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::Notify;
use tower::Layer;
use tower_breaker::{
    Breaker, CircuitBreakerLayer, State,
    classify::AtResponse,
    http::{AtEndOfStream, ServerErrorsAsFailures, service_unavailable},
};

use crate::support::{self, VERSIONS, breaker, client, data, eventually, guarded, scripted, serve};

#[tokio::test]
async fn callers_of_an_open_circuit_get_503_and_when_to_ask_again() {
    for version in VERSIONS {
        let (breaker, clock) = breaker();
        let layer = CircuitBreakerLayer::new(breaker.clone())
            .settle(AtEndOfStream::new(ServerErrorsAsFailures))
            .on_reject(service_unavailable());
        let router = Router::new()
            .route("/", get(async || StatusCode::INTERNAL_SERVER_ERROR))
            .route("/other", get(async || "fine"))
            .layer(layer);
        let address = serve(router).await;
        let mut client = client(version);
        for _ in 0..2 {
            assert_eq!(support::get(&mut client, address).await.unwrap().status(), 500);
        }
        clock.advance(Duration::from_millis(500));
        let response = support::get(&mut client, address).await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "60", "59.5 s, rounded up");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.admitted, snapshot.rejected), (State::Open, 2, 1));
    }
}

/// A server whose handler waits for the caller to go, and how many have gone.
async fn hanging(breaker: &Breaker) -> (std::net::SocketAddr, Arc<Notify>, Arc<AtomicUsize>) {
    struct Gone(Arc<AtomicUsize>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (called, gone) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let handler = {
        let (called, gone) = (called.clone(), gone.clone());
        move || {
            let (called, gone) = (called.clone(), Gone(gone.clone()));
            async move {
                called.notify_one();
                std::future::pending::<()>().await;
                drop(gone);
            }
        }
    };
    let layer = CircuitBreakerLayer::new(breaker.clone())
        .settle(AtEndOfStream::new(ServerErrorsAsFailures))
        .on_reject(service_unavailable());
    let address = serve(Router::new().route("/", get(handler)).layer(layer)).await;
    (address, called, gone)
}

#[tokio::test]
async fn a_client_that_is_gone_soon_says_nothing() {
    for version in VERSIONS {
        let (breaker, clock) = breaker();
        let (address, called, gone) = hanging(&breaker).await;
        support::await_probe(&breaker, &clock);
        let mut client = client(version);
        let call = tokio::spawn(async move { support::get(&mut client, address).await });
        called.notified().await;
        clock.advance(Duration::from_millis(9_999));
        call.abort();
        let snapshot = eventually(&breaker, |_| gone.load(Ordering::SeqCst) == 1).await;
        assert_eq!((snapshot.failed, snapshot.state), (2, State::HalfOpen));
        // The probe's place is free again.
        breaker.try_acquire().unwrap().success();
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[tokio::test]
async fn a_client_that_is_gone_because_the_handler_hangs_is_a_failure() {
    for version in VERSIONS {
        let (breaker, clock) = breaker();
        let (address, called, gone) = hanging(&breaker).await;
        let mut client = client(version);
        let call = tokio::spawn(async move { support::get(&mut client, address).await });
        called.notified().await;
        clock.advance(Duration::from_secs(10));
        call.abort();
        eventually(&breaker, |_| gone.load(Ordering::SeqCst) == 1).await;
        let snapshot = eventually(&breaker, |snapshot| snapshot.failed == 1).await;
        assert_eq!((snapshot.consecutive_failures, snapshot.counts.calls), (1, 1));
    }
}

#[tokio::test]
async fn a_client_that_is_gone_in_the_middle_of_a_body_leaves_the_verdict_to_the_headers() {
    for version in VERSIONS {
        let (breaker, clock) = breaker();
        let router = Router::new().route(
            "/",
            get(async || {
                let (sender, body) = scripted();
                tokio::spawn(async move { while sender.send(data("more")).await.is_ok() {} });
                Response::new(body)
            }),
        );
        let layer = CircuitBreakerLayer::new(breaker.clone())
            .settle(AtEndOfStream::new(ServerErrorsAsFailures))
            .on_reject(service_unavailable());
        let address = serve(router.layer(layer)).await;
        let mut client = client(version);
        let mut response = support::get(&mut client, address).await.unwrap();
        response.body_mut().frame().await.unwrap().unwrap();
        clock.advance(Duration::from_secs(3600));
        drop((response, client));
        let snapshot = eventually(&breaker, |snapshot| snapshot.counts.calls == 1).await;
        assert_eq!((snapshot.failed, snapshot.ignored), (0, 0));
    }
}

#[tokio::test]
async fn the_server_ends_a_call_with_its_last_byte() {
    for version in VERSIONS {
        let (breaker, clock) = breaker();
        support::await_probe(&breaker, &clock);
        let router = Router::new().route("/", get(async || "whole"));
        let layer = CircuitBreakerLayer::new(breaker.clone())
            .settle(AtEndOfStream::new(ServerErrorsAsFailures))
            .on_reject(service_unavailable());
        let address = serve(router.layer(layer)).await;
        let response = support::get(&mut client(version), address).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "whole");
        eventually(&breaker, |snapshot| snapshot.state == State::Closed).await;
    }
}

#[tokio::test]
async fn the_rejection_of_a_breaker_further_in_is_ignored() {
    let (inner, _) = breaker();
    inner.force_open();
    let (outer, _) = breaker();
    let handler = tower::service_fn(async |_: http::Request<Body>| {
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let inner = CircuitBreakerLayer::new(inner).on_reject(service_unavailable()).layer(handler);
    let at_response = CircuitBreakerLayer::new(outer.clone())
        .settle(AtResponse::new(ServerErrorsAsFailures))
        .layer(inner.clone());
    let at_end = CircuitBreakerLayer::new(outer.clone())
        .settle(AtEndOfStream::new(|_: Result<&Response<Body>, &_>| true))
        .layer(inner);
    let request = || http::Request::new(Body::empty());
    let status = tower::ServiceExt::oneshot(at_response, request()).await.unwrap().status();
    assert_eq!(status, 503);
    let status = tower::ServiceExt::oneshot(at_end, request()).await.unwrap().status();
    assert_eq!(status, 503);
    let snapshot = outer.snapshot();
    assert_eq!((snapshot.admitted, snapshot.ignored, snapshot.failed), (2, 2, 0));
}

#[tokio::test]
async fn two_breakers_in_a_row_see_the_same_body() {
    let (server, _) = breaker();
    let layer = CircuitBreakerLayer::new(server.clone())
        .settle(AtEndOfStream::new(ServerErrorsAsFailures))
        .on_reject(service_unavailable());
    let half_read = Arc::new(Notify::new());
    let told = Arc::clone(&half_read);
    let router = Router::new().fallback(async move || Response::new(support::broken(&told)));
    let address = serve(router.layer(layer)).await;
    let (caller, _) = breaker();
    let mut service = guarded(&caller, http::Version::HTTP_2);
    let response = support::get(&mut service, address).await.unwrap();
    support::read_to_the_break(response.into_body(), &half_read).await;
    assert_eq!(caller.snapshot().consecutive_failures, 1);
    eventually(&server, |snapshot| snapshot.consecutive_failures == 1).await;
}
