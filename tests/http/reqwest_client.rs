//! A `reqwest::Client` behind the breaker.

use std::time::Duration;

use axum::body::Body;
use http::Response;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_breaker::{
    CircuitBreakerLayer, State,
    classify::AtResponse,
    http::{AtEndOfStream, ServerErrorsAsFailures},
};

use crate::support::{History, breaker, breaking, read_to_the_break, upstream};

fn request(address: std::net::SocketAddr) -> reqwest::Request {
    let url = format!("http://{address}/").parse().unwrap();
    reqwest::Request::new(reqwest::Method::GET, url)
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn statuses_and_retry_after_are_seen() {
    let address = upstream(|_| {
        Response::builder().status(503).header("retry-after", "9").body(Body::empty()).unwrap()
    })
    .await;
    let (breaker, _) = breaker();
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .settle(AtResponse::new(ServerErrorsAsFailures))
        .layer(client());
    for _ in 0..2 {
        service.ready().await.unwrap().call(request(address)).await.unwrap();
    }
    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.state, State::Open);
    assert_eq!(snapshot.remaining, Some(Duration::from_secs(9)));
}

#[tokio::test]
async fn redirects_without_end_are_the_callers_own() {
    let address = upstream(|_| {
        Response::builder().status(302).header("location", "/").body(Body::empty()).unwrap()
    })
    .await;
    let (breaker, _) = breaker();
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .settle(AtResponse::new(ServerErrorsAsFailures))
        .layer(client());
    for _ in 0..2 {
        let error = service.ready().await.unwrap().call(request(address)).await.unwrap_err();
        assert!(error.downcast_ref::<reqwest::Error>().unwrap().is_redirect());
    }
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.failed, snapshot.ignored), (State::Closed, 0, 2));
}

#[tokio::test]
async fn bodies_are_seen_where_responses_are_turned_into_those_of_http() {
    let (address, half_read) = breaking().await;
    let (breaker, _) = breaker();
    let mut service = ServiceBuilder::new()
        .layer(
            CircuitBreakerLayer::new(breaker.clone())
                .settle(AtEndOfStream::new(ServerErrorsAsFailures)),
        )
        .map_response(Response::<reqwest::Body>::from)
        .service(client());
    let response = service.ready().await.unwrap().call(request(address)).await.unwrap();
    read_to_the_break(response.into_body(), &half_read).await;
    assert_eq!(breaker.snapshot().consecutive_failures, 1);
}

#[tokio::test]
async fn errors_are_told_by_their_kind_without_the_secrets_of_the_url() {
    let history = History::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://ann:hunter2@{nobody}/hooks/T0KEN?key=s3cret#part");
    let request = || client().get(&url).build().unwrap();
    let layer = CircuitBreakerLayer::new(history.breaker.clone());
    let http = layer.clone().settle(AtResponse::new(ServerErrorsAsFailures));
    let _ = http.layer(client()).oneshot(request()).await.unwrap_err();
    // Behind a closure, and in a box.
    let _ = layer.clone().layer(client()).oneshot(request()).await.unwrap_err();
    let boxed = client().map_err(tower_breaker::error::BoxError::from);
    let _ = layer.layer(boxed).oneshot(request()).await.unwrap_err();

    for (kind, text) in history.failures(3).await {
        assert_eq!(kind, "connect");
        assert!(text.starts_with(&format!("http://{nobody}: ")), "{text}");
        assert!(text.to_lowercase().contains("refused"), "{text}");
        for secret in ["ann", "hunter2", "T0KEN", "s3cret"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
