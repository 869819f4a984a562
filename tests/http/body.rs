//! What becomes of calls whose responses stream.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Response, Version};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use tower_breaker::State;

use crate::support::{
    VERSIONS, breaker, breaking, data, eventually, frames, get, guarded, live, plain,
    read_to_the_break, scripted, secs, upstream,
};

#[tokio::test]
async fn a_body_that_breaks_is_a_failure() {
    for version in VERSIONS {
        let (address, half_read) = breaking().await;
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, version);
        for failures in 1..=2 {
            let response = get(&mut service, address).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(breaker.snapshot().failed, failures - 1, "not before it breaks");
            read_to_the_break(response.into_body(), &half_read).await;
            assert_eq!(breaker.snapshot().failed, failures);
        }
        assert_eq!(breaker.state(), State::Open);
    }
}

#[tokio::test]
async fn a_body_that_ends_is_a_success_that_is_booked_once() {
    for version in VERSIONS {
        let address = upstream(|_| Response::new(frames(vec![data("one"), data("two")]))).await;
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, version);
        let response = get(&mut service, address).await.unwrap();
        assert_eq!(breaker.snapshot().counts.calls, 0);
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.to_bytes(), "onetwo");
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.admitted, snapshot.counts.calls, snapshot.failed), (1, 1, 0));
    }
}

#[tokio::test]
async fn the_call_ends_with_its_last_byte_though_nobody_polls_for_the_end() {
    for version in VERSIONS {
        let address = upstream(|_| Response::new(Body::from("whole"))).await;
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, version);
        let mut body = get(&mut service, address).await.unwrap().into_body();
        assert_eq!(body.size_hint().exact(), Some(5));
        while !body.is_end_stream() {
            body.frame().await.unwrap().unwrap();
        }
        assert_eq!(breaker.snapshot().counts.calls, 1, "while the body is still there");
        drop(body);
        assert_eq!(breaker.snapshot().counts.calls, 1);
    }
}

#[tokio::test]
async fn a_response_without_a_body_ends_at_its_headers() {
    for version in VERSIONS {
        let address =
            upstream(|_| Response::builder().status(204).body(Body::empty()).unwrap()).await;
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, version);
        let response = get(&mut service, address).await.unwrap();
        assert!(response.body().is_end_stream());
        assert_eq!(breaker.snapshot().counts.calls, 1);
    }
}

#[tokio::test]
async fn trailers_pass_through_and_end_the_call() {
    for version in VERSIONS {
        let address = upstream(|_| {
            let mut trailers = HeaderMap::new();
            trailers.insert("checksum", "7".parse().unwrap());
            let body = frames(vec![data("text"), Ok(Frame::trailers(trailers))]);
            Response::builder().header("trailer", "checksum").body(body).unwrap()
        })
        .await;
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, version);
        let uri = format!("http://{address}/");
        let request = http::Request::get(uri).header("te", "trailers");
        let request = request.body(http_body_util::Empty::<Bytes>::new()).unwrap();
        let service = tower::ServiceExt::ready(&mut service).await.unwrap();
        let response = tower::Service::call(service, request).await.unwrap();
        let mut body = response.into_body();
        let trailers = loop {
            let frame = body.frame().await.unwrap().unwrap();
            if let Ok(trailers) = frame.into_trailers() {
                break trailers;
            }
        };
        assert_eq!(trailers["checksum"], "7", "{version:?}");
        assert_eq!(breaker.snapshot().counts.calls, 1, "{version:?}");
    }
}

#[tokio::test]
async fn a_client_that_reads_only_the_status_keeps_its_verdict() {
    for version in VERSIONS {
        let address = upstream(|_| {
            let (sender, body) = scripted();
            tokio::spawn(async move { while sender.send(data("more")).await.is_ok() {} });
            Response::new(body)
        })
        .await;
        let (breaker, clock) = breaker();
        let mut service = guarded(&breaker, version);
        let response = get(&mut service, address).await.unwrap();
        // As long as a hung call has to live to be a failure, and longer.
        clock.advance(Duration::from_secs(3600));
        drop(response);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.counts.calls, snapshot.failed, snapshot.ignored), (1, 0, 0));
    }
}

#[tokio::test]
async fn an_endless_stream_is_neither_slow_nor_in_flight_after_its_headers() {
    let settings = plain()
        .slow_call_rate_threshold(0.5)
        .slow_call_duration_threshold(secs(2))
        .minimum_number_of_calls(1);
    for version in VERSIONS {
        let (frames, body) = scripted();
        let body = std::sync::Arc::new(std::sync::Mutex::new(Some(body)));
        let address = upstream(move |_| Response::new(body.lock().unwrap().take().unwrap())).await;
        let (breaker, clock) = live(settings.clone());
        let mut service = guarded(&breaker, version);
        let mut body = get(&mut service, address).await.unwrap().into_body();
        for _ in 0..5 {
            frames.send(data("tick")).await.unwrap();
            body.frame().await.unwrap().unwrap();
            clock.advance(Duration::from_secs(60));
            breaker.handle_deadline();
            let snapshot = breaker.snapshot();
            assert_eq!((snapshot.slow_calls_in_flight, snapshot.state), (0, State::Closed));
        }
        drop(frames);
        while body.frame().await.is_some() {}
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.counts.calls, snapshot.counts.slow_calls), (1, 0), "{version:?}");
    }
}

#[tokio::test]
async fn headers_that_come_late_are_slow() {
    let settings = plain().slow_call_rate_threshold(1.0).slow_call_duration_threshold(secs(2));
    let (breaker, clock) = live(settings);
    let address = upstream(move |_| {
        clock.advance(Duration::from_secs(2));
        Response::new(Body::from("late"))
    })
    .await;
    let mut service = guarded(&breaker, Version::HTTP_11);
    get(&mut service, address).await.unwrap().into_body().collect().await.unwrap();
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.counts.calls, snapshot.counts.slow_calls), (1, 1));
}

#[tokio::test]
async fn a_stream_of_an_earlier_generation_decides_nothing() {
    let (address, half_read) = breaking().await;
    let (breaker, _) = breaker();
    let mut service = guarded(&breaker, Version::HTTP_2);
    let response = get(&mut service, address).await.unwrap();
    breaker.reset();
    read_to_the_break(response.into_body(), &half_read).await;
    let snapshot = eventually(&breaker, |snapshot| snapshot.late == 1).await;
    assert_eq!((snapshot.counts.calls, snapshot.consecutive_failures), (0, 0));
}
