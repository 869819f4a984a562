//! What the callers of an open circuit get.

use std::time::Duration;

use tonic::{Code, Status};
use tower::{Layer, ServiceBuilder};
use tower_breaker::{Outcome, State, grpc, http::AtEndOfStream};

use crate::support::{
    ask, ask_once, breaker, channel, client, eventually, guarded_upstream, layer, read, upstream,
};

fn assert_rejection(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "call to `upstream` rejected: the circuit is open");
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "59500");
}

#[tokio::test]
async fn callers_of_a_client_get_unavailable_and_when_to_ask_again() {
    let address = upstream(|| Err(Status::internal("broken"))).await;
    let (breaker, clock) = breaker();
    let mut client = client(&breaker, address);
    for _ in 0..2 {
        assert_eq!(ask_once(&mut client).await.unwrap_err().code(), Code::Internal);
    }
    clock.advance(Duration::from_millis(500));
    assert_rejection(&ask_once(&mut client).await.unwrap_err());
    assert_rejection(&read(ask(&mut client).await).await.unwrap_err());
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.admitted, snapshot.rejected), (State::Open, 2, 2));
}

#[tokio::test]
async fn callers_of_a_server_get_unavailable_and_when_to_ask_again() {
    let (breaker, clock) = breaker();
    let address = guarded_upstream(&breaker, || Err(Status::internal("broken"))).await;
    let mut client = tonic::client::Grpc::new(channel(address));
    for failures in 1..=2 {
        assert_eq!(ask(&mut client).await.unwrap_err().code(), Code::Internal);
        eventually(&breaker, |snapshot| snapshot.failed == failures).await;
    }
    clock.advance(Duration::from_millis(500));
    assert_rejection(&ask(&mut client).await.unwrap_err());
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.admitted, snapshot.rejected), (State::Open, 2, 1));
}

#[tokio::test]
async fn a_server_that_rejects_is_unavailable_to_the_breaker_of_its_client() {
    let (server, _) = breaker();
    server.try_acquire().unwrap().failure();
    server.try_acquire().unwrap().record(Outcome::FAILURE.with_retry_after(Duration::from_secs(5)));
    let address = guarded_upstream(&server, || Err(Status::internal("never called"))).await;
    let (caller, _) = breaker();
    let mut client = client(&caller, address);
    for _ in 0..2 {
        ask(&mut client).await.unwrap_err();
    }
    let snapshot = caller.snapshot();
    assert_eq!(snapshot.state, State::Open);
    assert_eq!(snapshot.remaining, Some(Duration::from_secs(5)), "what the server asked for");
    assert_eq!(server.snapshot().rejected, 2);
}

#[tokio::test]
async fn the_rejection_of_a_breaker_further_in_is_ignored() {
    let address = upstream(|| Err(Status::internal("never called"))).await;
    let (inner, _) = breaker();
    inner.force_open();
    let (outer, _) = breaker();
    let service = ServiceBuilder::new()
        .layer(
            tower_breaker::CircuitBreakerLayer::new(outer.clone())
                .settle(AtEndOfStream::new(grpc::GrpcErrorsAsFailures::new()))
                .on_reject(grpc::unavailable()),
        )
        .service(layer(&inner).layer(channel(address)));
    let mut client = tonic::client::Grpc::new(service);
    let status = ask(&mut client).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let snapshot = outer.snapshot();
    assert_eq!((snapshot.admitted, snapshot.ignored, snapshot.failed), (1, 1, 0));
}
