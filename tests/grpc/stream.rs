//! Calls whose messages take their time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::mpsc;
use tonic::{Code, Response, Status};
use tower_breaker::{State, circuit::SettingsBuilder};

use crate::support::{
    Text, ask, await_probe, breaker, client, eventually, guarded_upstream, live, plain, read,
    replies, scripted, secs, text, upstream,
};

type Sender = mpsc::Sender<Result<Text, Status>>;

/// An upstream whose only call streams what the test sends.
async fn streaming() -> (Sender, std::net::SocketAddr) {
    let (sender, messages) = scripted();
    let messages = Arc::new(Mutex::new(Some(messages)));
    let address =
        upstream(move || Ok(Response::new(messages.lock().unwrap().take().unwrap()))).await;
    (sender, address)
}

#[tokio::test]
async fn a_stream_that_fails_half_way_is_a_failure() {
    let address = upstream(|| {
        replies(vec![text("one"), text("two"), Err(Status::data_loss("the disk broke"))])
    })
    .await;
    let (breaker, _) = breaker();
    let mut client = client(&breaker, address);
    for _ in 0..2 {
        let mut messages = ask(&mut client).await.unwrap().into_inner();
        for _ in 0..2 {
            messages.message().await.unwrap().unwrap();
        }
        assert_eq!(messages.message().await.unwrap_err().code(), Code::DataLoss);
    }
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.failed, snapshot.admitted), (State::Open, 2, 2));
}

#[tokio::test]
async fn an_endless_stream_closes_the_circuit_with_its_first_message() {
    let (sender, address) = streaming().await;
    let (breaker, clock) = breaker();
    await_probe(&breaker, &clock);
    let mut client = client(&breaker, address);
    let mut messages = ask(&mut client).await.unwrap().into_inner();
    assert_eq!(breaker.state(), State::HalfOpen, "headers are not enough");
    sender.send(text("tick")).await.unwrap();
    messages.message().await.unwrap().unwrap();
    let before = breaker.snapshot();
    assert_eq!(before.state, State::Closed);

    // Its end decides nothing any more.
    drop(sender);
    assert_eq!(messages.message().await.unwrap(), None);
    assert_eq!(breaker.snapshot(), before);
}

#[tokio::test]
async fn a_probe_that_fails_after_its_first_message_is_a_failure_of_its_own() {
    let (sender, address) = streaming().await;
    let (breaker, clock) = breaker();
    await_probe(&breaker, &clock);
    let mut client = client(&breaker, address);
    let mut messages = ask(&mut client).await.unwrap().into_inner();
    sender.send(text("tick")).await.unwrap();
    messages.message().await.unwrap().unwrap();
    let before = breaker.snapshot();
    assert_eq!((before.state, before.counts.calls), (State::Closed, 0));

    sender.send(Err(Status::unavailable("going down"))).await.unwrap();
    messages.message().await.unwrap_err();
    let after = breaker.snapshot();
    assert_eq!((after.counts.calls, after.consecutive_failures), (1, 1));
    assert_eq!((after.admitted, after.late), (before.admitted + 1, before.late));
}

#[tokio::test]
async fn a_probe_whose_only_answer_is_a_bad_status_opens_the_circuit_again() {
    let address = upstream(|| replies(vec![Err(Status::unavailable("away"))])).await;
    let (breaker, clock) = breaker();
    await_probe(&breaker, &clock);
    let mut client = client(&breaker, address);
    read(ask(&mut client).await).await.unwrap_err();
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.reopens), (State::Open, 1));
}

fn slow_calls() -> SettingsBuilder {
    plain()
        .slow_call_rate_threshold(1.0)
        .slow_call_duration_threshold(secs(2))
        .minimum_number_of_calls(10)
}

#[tokio::test]
async fn a_call_takes_the_time_until_its_first_message() {
    for (before, after, slow) in [(2, 0, 1), (1, 3600, 0)] {
        let (sender, address) = streaming().await;
        let (breaker, clock) = live(slow_calls());
        let mut client = client(&breaker, address);
        let mut messages = ask(&mut client).await.unwrap().into_inner();
        clock.advance(Duration::from_secs(before));
        sender.send(text("tick")).await.unwrap();
        messages.message().await.unwrap().unwrap();
        clock.advance(Duration::from_secs(after));
        assert_eq!(breaker.snapshot().slow_calls_in_flight, 0);
        drop(sender);
        assert_eq!(messages.message().await.unwrap(), None);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.counts.calls, snapshot.counts.slow_calls), (1, slow));
    }
}

#[tokio::test]
async fn a_call_without_a_message_is_slow_while_it_is_in_flight() {
    let (_sender, address) = streaming().await;
    let (breaker, clock) = live(slow_calls());
    let mut client = client(&breaker, address);
    let messages = ask(&mut client).await.unwrap().into_inner();
    clock.advance(Duration::from_secs(4));
    assert_eq!(breaker.snapshot().slow_calls_in_flight, 1);
    drop(messages);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.slow_calls_in_flight, snapshot.failed), (0, 1), "it hung");
}

#[tokio::test]
async fn a_stream_that_is_dropped_before_its_first_message_says_nothing() {
    let (_sender, address) = streaming().await;
    let (breaker, clock) = breaker();
    await_probe(&breaker, &clock);
    let mut client = client(&breaker, address);
    let messages = ask(&mut client).await.unwrap();
    clock.advance(Duration::from_millis(9_999));
    drop(messages);
    assert_eq!((breaker.state(), breaker.snapshot().failed), (State::HalfOpen, 2));
    // The probe's place is free again.
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_stream_that_is_dropped_after_its_first_message_is_a_success() {
    let (sender, address) = streaming().await;
    let (breaker, clock) = breaker();
    let mut client = client(&breaker, address);
    let mut messages = ask(&mut client).await.unwrap().into_inner();
    sender.send(text("tick")).await.unwrap();
    messages.message().await.unwrap().unwrap();
    clock.advance(Duration::from_secs(3600));
    drop(messages);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.counts.calls, snapshot.failed, snapshot.ignored), (1, 0, 0));
}

#[tokio::test]
async fn a_server_sees_the_status_that_its_methods_end_with() {
    let (breaker, _) = breaker();
    let address =
        guarded_upstream(&breaker, || replies(vec![text("one"), Err(Status::internal("broken"))]))
            .await;
    let mut client = tonic::client::Grpc::new(crate::support::channel(address));
    for failures in 1..=2 {
        assert_eq!(read(ask(&mut client).await).await.unwrap_err().code(), Code::Internal);
        eventually(&breaker, |snapshot| snapshot.failed == failures).await;
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn a_server_ends_a_call_with_its_trailers() {
    let (breaker, clock) = breaker();
    await_probe(&breaker, &clock);
    let address = guarded_upstream(&breaker, || replies(Vec::new())).await;
    let mut client = tonic::client::Grpc::new(crate::support::channel(address));
    assert_eq!(read(ask(&mut client).await).await.unwrap(), 0);
    eventually(&breaker, |snapshot| snapshot.state == State::Closed).await;
}
