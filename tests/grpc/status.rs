//! Where a status is seen, and what it means.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use tonic::{Code, Status, metadata::MetadataMap};
use tower::Layer;
use tower_breaker::{
    CircuitBreakerLayer, State,
    circuit::OutcomeKind,
    classify::AtResponse,
    grpc::{self, GrpcErrorsAsFailures},
    http::AtEndOfStream,
};

use crate::support::{
    ask, ask_once, breaker, channel, client, raw_upstream, read, replies, text, upstream,
};

#[tokio::test]
async fn a_status_in_trailers_is_seen() {
    let address = upstream(|| replies(vec![Err(Status::internal("broken"))])).await;
    let (breaker, _) = breaker();
    let mut client = client(&breaker, address);
    for failures in 1..=2 {
        let response = ask(&mut client).await;
        assert_eq!(breaker.snapshot().failed, failures - 1, "not in the headers");
        assert_eq!(read(response).await.unwrap_err().code(), Code::Internal);
        assert_eq!(breaker.snapshot().failed, failures);
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn a_status_in_headers_is_seen() {
    let address = upstream(|| Err(Status::unavailable("away"))).await;
    let (breaker, _) = breaker();
    let mut client = client(&breaker, address);
    for failures in 1..=2 {
        assert_eq!(ask(&mut client).await.unwrap_err().code(), Code::Unavailable);
        assert_eq!(breaker.snapshot().failed, failures);
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn ok_is_a_success_that_is_booked_once() {
    let address = upstream(|| replies(vec![text("one")])).await;
    let (breaker, _) = breaker();
    let mut client = client(&breaker, address);
    assert_eq!(ask_once(&mut client).await.unwrap().text, "one");
    assert_eq!(breaker.snapshot().counts.calls, 1);
    assert_eq!(read(ask(&mut client).await).await.unwrap(), 1);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.counts.calls, snapshot.failed, snapshot.admitted), (2, 0, 2));
}

#[tokio::test]
async fn what_a_code_means_is_the_same_in_headers_and_in_trailers() {
    let classify = GrpcErrorsAsFailures::new();
    for number in 1..=16 {
        let kind = classify.kind(grpc::Code::from_u8(number));
        for in_headers in [true, false] {
            let status = move || Status::new(Code::from(i32::from(number)), "so it is");
            let reply =
                move || if in_headers { Err(status()) } else { replies(vec![Err(status())]) };
            let address = upstream(reply).await;
            let (breaker, _) = breaker();
            let mut client = client(&breaker, address);
            read(ask(&mut client).await).await.unwrap_err();
            let snapshot = breaker.snapshot();
            let found =
                (snapshot.consecutive_failures, snapshot.counts.failures, snapshot.counts.calls);
            let expected = match kind {
                OutcomeKind::Success => (0, 0, 1),
                OutcomeKind::Failure => (1, 1, 1),
                OutcomeKind::RateOnly => (0, 1, 1),
                OutcomeKind::Ignored => (0, 0, 0),
            };
            assert_eq!(found, expected, "{number} in headers: {in_headers}");
            assert_eq!(snapshot.ignored, u64::from(kind == OutcomeKind::Ignored));
        }
    }
}

#[tokio::test]
async fn pushback_is_the_open_time() {
    for in_headers in [true, false] {
        let status = || {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-retry-pushback-ms", "2500".parse().unwrap());
            Status::with_metadata(Code::Unavailable, "later", metadata)
        };
        let reply = move || if in_headers { Err(status()) } else { replies(vec![Err(status())]) };
        let address = upstream(reply).await;
        let (breaker, _) = breaker();
        let mut client = client(&breaker, address);
        for _ in 0..2 {
            read(ask(&mut client).await).await.unwrap_err();
        }
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.state, State::Open);
        assert_eq!(snapshot.remaining, Some(Duration::from_millis(2500)));
    }
}

#[tokio::test]
async fn a_failed_probe_that_is_told_to_wait_waits_that_long() {
    let address = upstream(|| {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-retry-pushback-ms", "9000".parse().unwrap());
        Err(Status::with_metadata(Code::ResourceExhausted, "enough", metadata))
    })
    .await;
    let (breaker, clock) = breaker();
    crate::support::await_probe(&breaker, &clock);
    let mut client = client(&breaker, address);
    ask(&mut client).await.unwrap_err();
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.reopens), (State::Open, 1));
    assert_eq!(snapshot.remaining, Some(Duration::from_secs(9)));
}

#[tokio::test]
async fn a_stream_that_ends_without_a_status_is_a_failure() {
    // An empty message, and the end of the stream in place of trailers.
    for message in [Bytes::new(), Bytes::from_static(&[0; 5])] {
        let address = raw_upstream(move || {
            http::Response::builder()
                .header("content-type", "application/grpc")
                .body(Body::from(message.clone()))
                .unwrap()
        })
        .await;
        let (breaker, _) = breaker();
        let mut client = client(&breaker, address);
        let _ = read(ask(&mut client).await).await;
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.consecutive_failures, snapshot.counts.calls), (1, 1));
    }
}

#[tokio::test]
async fn an_answer_in_plain_http_is_mapped() {
    for (status, failures, run) in [(503, 1, 1), (401, 0, 0), (500, 1, 1)] {
        let address = raw_upstream(move || {
            http::Response::builder().status(status).body(Body::from("<html>")).unwrap()
        })
        .await;
        let (breaker, _) = breaker();
        let mut client = client(&breaker, address);
        read(ask(&mut client).await).await.unwrap_err();
        let snapshot = breaker.snapshot();
        let found = (snapshot.counts.failures, snapshot.consecutive_failures);
        assert_eq!((found, snapshot.counts.calls), ((failures, run), 1), "{status}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (breaker, _) = breaker();
    let mut client = client(&breaker, address);
    for _ in 0..2 {
        ask(&mut client).await.unwrap_err();
    }
    assert_eq!((breaker.state(), breaker.snapshot().failed), (State::Open, 2));
}

#[tokio::test]
async fn the_table_can_be_changed() {
    let address = upstream(|| Err(Status::unimplemented("no such method"))).await;
    let (breaker, _) = breaker();
    let classify =
        GrpcErrorsAsFailures::new().with_code(grpc::Code::Unimplemented, OutcomeKind::Failure);
    let layer = CircuitBreakerLayer::new(breaker.clone())
        .settle(AtEndOfStream::new(classify))
        .on_reject(grpc::unavailable());
    let mut client = tonic::client::Grpc::new(layer.layer(channel(address)));
    ask(&mut client).await.unwrap_err();
    assert_eq!(breaker.snapshot().consecutive_failures, 1);
}

#[tokio::test]
async fn at_the_response_only_a_status_in_headers_is_seen() {
    for (in_headers, failures) in [(true, 1), (false, 0)] {
        let status = || Status::unavailable("away");
        let reply = move || if in_headers { Err(status()) } else { replies(vec![Err(status())]) };
        let address = upstream(reply).await;
        let (breaker, _) = breaker();
        let layer = CircuitBreakerLayer::new(breaker.clone())
            .settle(AtResponse::new(GrpcErrorsAsFailures::new()))
            .on_reject(grpc::unavailable());
        let mut client = tonic::client::Grpc::new(layer.layer(channel(address)));
        read(ask(&mut client).await).await.unwrap_err();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.counts.failures, snapshot.counts.calls), (failures, 1));
    }
}
