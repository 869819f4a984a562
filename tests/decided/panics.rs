//! Classifiers and observers that panic.

use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_breaker::{
    Breaker, CircuitBreakerLayer, Outcome, State,
    breaker::{Event, EventKind, Events, UserCode, clock::ManualClock},
};

use crate::support::*;

/// What was reported as a panic.
fn reports(events: &mut Events) -> Vec<(UserCode, String)> {
    let of = |kind| match kind {
        EventKind::Panicked { what, message } => Some((what, message)),
        _ => None,
    };
    drain(events).0.into_iter().filter_map(of).collect()
}

#[tokio::test]
async fn a_result_passes_a_classifier_that_panics_and_is_ignored() {
    let (breaker, _) = live(plain().failure_threshold(1));
    let mut events = breaker.subscribe();
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .classify(|_: Result<&u32, &BoxError>| -> bool { panic!("cannot say") })
        .layer(service_fn(async |number: u32| match number {
            0 => Err(BoxError::from("zero")),
            _ => Ok(number),
        }));
    assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
    let error = service.ready().await.unwrap().call(0).await.unwrap_err();
    assert_eq!(error.to_string(), "zero");
    assert_eq!(service.ready().await.unwrap().call(8).await.unwrap(), 8);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.ignored, snapshot.failed), (State::Closed, 3, 0));
    assert_eq!(reports(&mut events), [(UserCode::Classifier, "cannot say".to_owned())]);
}

#[tokio::test]
async fn a_probe_whose_classifier_panics_returns_its_place() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    trip(&breaker);
    wait_out(&breaker, &clock);
    let mut service = CircuitBreakerLayer::new(breaker.clone())
        .classify(|_: Result<&(), &BoxError>| -> Outcome { panic!("cannot say") })
        .layer(service_fn(async |()| Ok::<_, BoxError>(())));
    for _ in 0..10 {
        service.ready().await.unwrap().call(()).await.unwrap();
        assert_eq!(breaker.state(), State::HalfOpen);
    }
}

#[tokio::test]
async fn a_result_passes_a_closure_of_call_with_that_panics_and_is_ignored() {
    let (breaker, clock) = live(plain().failure_threshold(1));
    let mut events = breaker.subscribe();
    let hung = breaker.call_with(
        async || {
            clock.advance(secs(60));
            Err::<(), _>("no")
        },
        |_| -> bool { panic!("cannot say {}", 1) },
    );
    assert_eq!(hung.await.unwrap_err().into_inner(), Some("no"));
    let fine = breaker.call_with(async || Ok::<_, ()>(7), |_| -> bool { panic!("again") });
    assert_eq!(fine.await, Ok(7));
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.ignored, snapshot.failed), (State::Closed, 2, 0));
    assert_eq!(reports(&mut events), [(UserCode::Classifier, "cannot say 1".to_owned())]);
}

#[tokio::test]
async fn an_observer_that_panics_costs_no_result_and_is_reported_once() {
    let breaker = Breaker::builder("upstream")
        .settings(plain().build().unwrap())
        .clock(ManualClock::new())
        .observer(|_: &Event| panic!("observer {}", "down"))
        .build()
        .unwrap();
    let mut events = breaker.subscribe();
    for _ in 0..5 {
        let result = breaker.call(async || Err::<(), _>("no")).await;
        assert_eq!(result.unwrap_err().into_inner(), Some("no"));
    }
    // The failures are failures all the same, and everybody else is told of everything.
    assert_eq!(breaker.state(), State::Open);
    rejected(&breaker);
    breaker.reset();
    let (told, missed) = drain(&mut events);
    let panics = told.iter().filter(|it| matches!(it, EventKind::Panicked { .. })).count();
    assert_eq!((panics, missed), (1, 0));
    // Five calls, the trip, the rejection, the reset.
    assert_eq!(told.len(), 8 + panics);
    calls(&breaker, 1, Outcome::SUCCESS);
}

#[test]
fn an_observer_that_panics_does_not_hide_the_event_from_the_next_one() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let breaker = Breaker::builder("upstream")
        .clock(ManualClock::new())
        .observer(|_: &Event| panic!("first"))
        .observer(move |event: &Event| {
            let _ = sender.send(event.kind.clone());
        })
        .build()
        .unwrap();
    breaker.reset();
    assert!(matches!(receiver.recv(), Ok(EventKind::Transition(_))));
}

// The closure is run before there is a future to poll.
#[tokio::test]
async fn a_closure_of_call_that_panics_before_it_returns_a_future_is_a_failure() {
    let (breaker, _) = live(plain());
    let caller = breaker.clone();
    let task = tokio::spawn(async move {
        let broken = || -> std::future::Ready<Result<(), ()>> { panic!("no future") };
        let _ = caller.call(broken).await;
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(breaker.snapshot().failed, 1);
}

/// What was thrown throws again when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("again");
    }
}

#[test]
fn observers_are_told_on_after_a_panic_that_panics_when_it_is_dropped() {
    let told = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counter = std::sync::Arc::clone(&told);
    let breaker = Breaker::builder("upstream")
        .clock(ManualClock::new())
        .observer(move |_: &Event| {
            if counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                std::panic::panic_any(Bomb);
            }
        })
        .build()
        .unwrap();
    breaker.force_open();
    breaker.lift_override();
    // The report of the panic is the third.
    assert_eq!(told.load(std::sync::atomic::Ordering::Relaxed), 3);
}
