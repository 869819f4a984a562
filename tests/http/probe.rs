//! Streams that probe whether a service has recovered.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt;
use tower_breaker::{State, error};

use crate::support::{
    Frames, VERSIONS, await_probe, breaker, breaking, data, get, guarded, scripted, upstream,
};

/// An upstream whose only response streams what the test sends.
async fn streaming() -> (Frames, std::net::SocketAddr) {
    let (frames, body) = scripted();
    let body = Arc::new(Mutex::new(Some(body)));
    let address = upstream(move |_| Response::new(body.lock().unwrap().take().unwrap())).await;
    (frames, address)
}

#[tokio::test]
async fn an_endless_stream_closes_the_circuit_with_its_first_data() {
    for version in VERSIONS {
        let (frames, address) = streaming().await;
        let (breaker, clock) = breaker();
        await_probe(&breaker, &clock);
        let mut service = guarded(&breaker, version);
        let mut body = get(&mut service, address).await.unwrap().into_body();
        assert_eq!(breaker.state(), State::HalfOpen, "headers are not enough");
        // The round has one place, and it is taken.
        let rejected = get(&mut service, address).await.unwrap_err();
        assert!(error::rejected(&*rejected).is_some());

        frames.send(data("tick")).await.unwrap();
        body.frame().await.unwrap().unwrap();
        assert_eq!(breaker.state(), State::Closed);

        // Whether it ends or is dropped, it has been booked.
        let before = breaker.snapshot();
        drop(body);
        assert_eq!(breaker.snapshot(), before);
    }
}

#[tokio::test]
async fn a_probe_that_breaks_after_its_first_data_is_a_failure_of_its_own() {
    for version in VERSIONS {
        let (address, half_read) = breaking().await;
        let (breaker, clock) = breaker();
        breaker.keep_latencies();
        await_probe(&breaker, &clock);
        let _ = breaker.drain_latencies();
        let mut service = guarded(&breaker, version);
        let mut body = get(&mut service, address).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        let before = breaker.snapshot();
        assert_eq!((before.state, before.counts.calls), (State::Closed, 0));

        half_read.notify_one();
        body.collect().await.unwrap_err();
        let after = breaker.snapshot();
        assert_eq!((after.counts.calls, after.counts.failures), (1, 1));
        assert_eq!((after.consecutive_failures, after.late), (1, before.late));
        assert_eq!(after.admitted, before.admitted + 1);
        // The answer of the probe began, once.
        assert_eq!(breaker.drain_latencies().count(), 1);
    }
}

#[tokio::test]
async fn a_probe_that_breaks_while_the_circuit_is_open_changes_nothing() {
    for version in VERSIONS {
        let (address, half_read) = breaking().await;
        let (breaker, clock) = breaker();
        await_probe(&breaker, &clock);
        let mut service = guarded(&breaker, version);
        let mut body = get(&mut service, address).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        // Open again, and its time is over: the failure must not begin the next round.
        await_probe(&breaker, &clock);
        let before = breaker.snapshot();
        assert_eq!((before.state, before.remaining), (State::Open, Some(Duration::ZERO)));
        half_read.notify_one();
        body.collect().await.unwrap_err();
        assert_eq!(breaker.snapshot(), before);
    }
}

#[tokio::test]
async fn a_probe_that_breaks_before_its_first_data_opens_the_circuit_again() {
    for version in VERSIONS {
        let (frames, address) = streaming().await;
        let (breaker, clock) = breaker();
        await_probe(&breaker, &clock);
        let mut service = guarded(&breaker, version);
        let body = get(&mut service, address).await.unwrap().into_body();
        frames.send(Err("the disk broke".into())).await.unwrap();
        body.collect().await.unwrap_err();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.reopens), (State::Open, 1));
    }
}

#[tokio::test]
async fn a_probe_without_a_body_closes_the_circuit_at_its_headers() {
    for version in VERSIONS {
        let address = upstream(|_| Response::new(Body::empty())).await;
        let (breaker, clock) = breaker();
        await_probe(&breaker, &clock);
        let mut service = guarded(&breaker, version);
        let _response = get(&mut service, address).await.unwrap();
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[tokio::test]
async fn a_probe_whose_body_nobody_reads_closes_the_circuit() {
    for version in VERSIONS {
        let (_frames, address) = streaming().await;
        let (breaker, clock) = breaker();
        await_probe(&breaker, &clock);
        let mut service = guarded(&breaker, version);
        drop(get(&mut service, address).await.unwrap());
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[tokio::test]
async fn a_probe_that_streams_no_data_is_ended_by_the_round() {
    for version in VERSIONS {
        let (_frames, address) = streaming().await;
        let (breaker, clock) = breaker();
        await_probe(&breaker, &clock);
        let mut service = guarded(&breaker, version);
        let response = get(&mut service, address).await.unwrap();
        clock.advance(breaker.poll_deadline().unwrap());
        breaker.handle_deadline();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.reopens), (State::Open, 1));
        drop(response);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.late), (State::Open, 1), "it came too late");
    }
}
