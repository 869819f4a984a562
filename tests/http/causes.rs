//! What the history says of calls that failed.

use std::fmt;

use axum::body::Body;
use http::{Response, Version};
use tower::{Layer, ServiceExt, service_fn};
use tower_breaker::{
    CircuitBreakerLayer,
    breaker::Cause,
    classify::{AtResponse, Described},
    error::BoxError,
    http::{AtEndOfStream, ServerErrorsAsFailures},
};

use crate::support::{History, breaking, get, guarded, read_to_the_break, upstream};

fn pair(error_type: &str, message: &str) -> (String, String) {
    (error_type.to_owned(), message.to_owned())
}

fn respond(status: u16) -> Response<Body> {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_status_is_told_with_its_code_at_the_headers_and_at_the_end() {
    let history = History::new();
    let address = upstream(|request| respond(request.uri().path()[1..].parse().unwrap())).await;
    let client = crate::support::client(Version::HTTP_11);
    let layer = CircuitBreakerLayer::new(history.breaker.clone());
    for status in [503, 404, 429] {
        let request = || http::Request::get(format!("http://{address}/{status}"));
        let request = || request().body(http_body_util::Empty::new()).unwrap();
        let at_response = AtResponse::new(ServerErrorsAsFailures);
        layer.clone().settle(at_response).layer(client.clone()).oneshot(request()).await.unwrap();
        let at_end = AtEndOfStream::new(ServerErrorsAsFailures);
        layer.clone().settle(at_end).layer(client.clone()).oneshot(request()).await.unwrap();
    }
    let expected = ["503", "503", "429", "429"].map(|code| pair("http_status", code));
    assert_eq!(history.failures(4).await, expected);
}

#[tokio::test]
async fn a_body_that_breaks_is_told_by_the_type_of_its_error() {
    let history = History::new();
    let (address, half_read) = breaking().await;
    let mut service = guarded(&history.breaker, Version::HTTP_11);
    let response = get(&mut service, address).await.unwrap();
    read_to_the_break(response.into_body(), &half_read).await;
    assert_eq!(history.failures(1).await, [pair("hyper::error::Error", "-")]);
}

#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

#[tokio::test]
async fn errors_in_place_of_a_response_are_described() {
    let history = History::new();
    let layer = CircuitBreakerLayer::new(history.breaker.clone());
    let plain = service_fn(async |(): ()| Err::<Response<Body>, _>(Refused));
    let boxed = service_fn(async |(): ()| Err::<Response<Body>, BoxError>(Refused.into()));

    let streamed = AtEndOfStream::new(ServerErrorsAsFailures);
    let _ = layer.clone().settle(streamed).layer(plain).oneshot(()).await.unwrap_err();
    let _ = layer.clone().settle(streamed).layer(boxed).oneshot(()).await.unwrap_err();
    let own =
        Described::new(ServerErrorsAsFailures, |result: Result<&Response<Body>, &Refused>| {
            result.err().map(|error| Cause::new("refused").with_message(format!("{error}: by us")))
        });
    let own = AtEndOfStream::new(own);
    let _ = layer.settle(own).layer(plain).oneshot(()).await.unwrap_err();

    let failures = history.failures(3).await;
    assert!(failures[0].0.ends_with("causes::Refused"), "{failures:?}");
    assert_eq!(failures[0].1, "-", "nothing is known of an error that may be of any type");
    assert_eq!(
        failures[1..],
        [pair("Box<dyn Error>", "refused"), pair("refused", "refused: by us")]
    );
}
