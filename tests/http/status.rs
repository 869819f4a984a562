//! What the head of a response says.

use std::time::Duration;

use axum::body::Body;
use http::{Response, Version};
use tower::Layer;
use tower_breaker::{
    CircuitBreakerLayer, State, circuit::TripReason, classify::AtResponse, error,
    http::ServerErrorsAsFailures,
};

use crate::support::{VERSIONS, breaker, client, get, guarded, upstream};

fn status(status: u16) -> impl Fn(axum::extract::Request) -> Response<Body> + Clone {
    move |_| Response::builder().status(status).body(Body::from("text")).unwrap()
}

#[tokio::test]
async fn server_errors_open_the_circuit_at_the_headers() {
    for version in VERSIONS {
        let address = upstream(status(503)).await;
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, version);
        let first = get(&mut service, address).await.unwrap();
        assert_eq!(breaker.snapshot().consecutive_failures, 1, "before the body is read");
        let _second = get(&mut service, address).await.unwrap();
        assert_eq!(breaker.state(), State::Open);
        drop(first);

        let rejected = get(&mut service, address).await.unwrap_err();
        let rejected = error::rejected(&*rejected).unwrap();
        assert_eq!(rejected.retry_after, Some(Duration::from_secs(60)));
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.admitted, snapshot.rejected, snapshot.failed), (2, 1, 2));
        let failures = TripReason::ConsecutiveFailures { failures: 2, threshold: 2 };
        assert_eq!(snapshot.trip_reason, Some(failures));
    }
}

#[tokio::test]
async fn client_errors_are_successes() {
    for version in VERSIONS {
        let address = upstream(status(404)).await;
        let (breaker, _) = breaker();
        let layer = CircuitBreakerLayer::new(breaker.clone())
            .settle(AtResponse::new(ServerErrorsAsFailures));
        let mut service = layer.layer(client(version));
        for _ in 0..3 {
            get(&mut service, address).await.unwrap();
        }
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.counts.calls, snapshot.counts.failures), (3, 0));
        assert_eq!(snapshot.state, State::Closed);
    }
}

#[tokio::test]
async fn a_429_fails_the_rate_but_not_the_run() {
    for version in VERSIONS {
        let address = upstream(status(429)).await;
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, version);
        for _ in 0..4 {
            get(&mut service, address).await.unwrap();
        }
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.counts.calls, snapshot.counts.failures), (4, 4));
        assert_eq!((snapshot.consecutive_failures, snapshot.state), (0, State::Closed));
    }
}

#[tokio::test]
async fn retry_after_in_seconds_is_the_open_time() {
    for version in VERSIONS {
        let address = upstream(|_| {
            Response::builder().status(503).header("retry-after", "7").body(Body::empty()).unwrap()
        })
        .await;
        let (breaker, clock) = breaker();
        let mut service = guarded(&breaker, version);
        for _ in 0..2 {
            get(&mut service, address).await.unwrap();
        }
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.state, State::Open);
        assert_eq!(snapshot.remaining, Some(Duration::from_secs(7)));
        clock.advance(Duration::from_secs(7));
        get(&mut service, address).await.unwrap();
        assert_eq!((breaker.snapshot().admitted, breaker.snapshot().reopens), (3, 1));
    }
}

#[tokio::test]
async fn retry_after_as_a_date_counts_from_the_date_of_the_response() {
    let address = upstream(|_| {
        Response::builder()
            .status(503)
            .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .header("retry-after", "Sun, 06 Nov 1994 08:51:07 GMT")
            .body(Body::empty())
            .unwrap()
    })
    .await;
    for version in VERSIONS {
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, version);
        for _ in 0..2 {
            get(&mut service, address).await.unwrap();
        }
        assert_eq!(breaker.snapshot().remaining, Some(Duration::from_secs(90)));
    }
}

#[tokio::test]
async fn an_absurd_retry_after_is_bounded_and_garbage_is_ignored() {
    for (value, expected) in [("999999999999999999999", 3600), ("soon", 60), ("-5", 60)] {
        let address = upstream(move |_| {
            Response::builder()
                .status(500)
                .header("retry-after", value)
                .body(Body::empty())
                .unwrap()
        })
        .await;
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, Version::HTTP_11);
        for _ in 0..2 {
            get(&mut service, address).await.unwrap();
        }
        assert_eq!(breaker.snapshot().remaining, Some(Duration::from_secs(expected)), "{value}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for version in VERSIONS {
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, version);
        for _ in 0..2 {
            let error = get(&mut service, address).await.unwrap_err();
            assert!(error::rejected(&*error).is_none());
        }
        assert_eq!((breaker.state(), breaker.snapshot().failed), (State::Open, 2));
    }
}
