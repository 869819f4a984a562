//! Rejections, readiness and observers: what a circuit does to those around it.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex, OnceLock},
    task::{Context, Poll},
    thread,
};

use tower::{Layer, Service, ServiceExt};
use tower_breaker::{
    Breaker, CircuitBreakerLayer, Outcome, State,
    breaker::{Event, EventKind, Events, clock::ManualClock},
    error,
};

use crate::support::*;

// A peer never takes the state that was left back to 0 in its gauge.
#[test]
fn defect_10_a_gauge_of_states_that_follows_the_events_has_one_state_at_1() {
    let (breaker, clock) = live(plain());
    let mut events = breaker.subscribe();
    let mut gauge = HashMap::from([(State::Closed, 1)]);

    first_probe(&breaker, &clock).success();
    admitted(&breaker).failure();
    clock.advance(secs(120));
    assert_eq!(rejected(&breaker).state, State::Open);
    breaker.metrics_only();
    breaker.force_open();
    breaker.disable();
    breaker.reset();
    breaker.lift_override();
    breaker.reset();
    trip(&breaker);

    let happened = transitions(&mut events);
    assert!(happened.len() >= 10, "{happened:?}");
    for transition in happened {
        *gauge.entry(transition.from).or_default() -= 1;
        *gauge.entry(transition.to).or_default() += 1;
        for (state, value) in &gauge {
            assert_eq!(*value, i32::from(*state == transition.to), "{state}");
        }
    }
    assert_eq!(gauge[&breaker.state()], 1);
}

// A peer's rejection sleeps when it meets another thread, and panics outside of a tokio runtime.
#[test]
fn defect_11_many_threads_are_rejected_without_a_runtime() {
    assert!(tokio::runtime::Handle::try_current().is_err());
    let (breaker, _) = live(plain());
    trip(&breaker);
    let service = CircuitBreakerLayer::new(breaker.clone())
        .layer(tower::service_fn(|()| ready(Ok::<_, Infallible>(()))));
    thread::scope(|scope| {
        for _ in 0..8 {
            let (breaker, mut service) = (&breaker, service.clone());
            scope.spawn(move || {
                let mut cx = Context::from_waker(std::task::Waker::noop());
                for _ in 0..5_000 {
                    rejected(breaker);
                    assert!(service.poll_ready(&mut cx).is_ready());
                    // The first poll has the answer: it waits for nothing.
                    let mut call = std::pin::pin!(service.call(()));
                    let Poll::Ready(Err(error)) = call.as_mut().poll(&mut cx) else {
                        panic!("a rejection is ready at once");
                    };
                    assert!(error::rejected(&*error).is_some());
                }
            });
        }
    });
    assert_eq!(breaker.snapshot().rejected, 80_000);
}

/// A service that must be left alone.
struct LeftAlone;

impl Service<()> for LeftAlone {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        panic!("the service was asked whether it is ready");
    }

    fn call(&mut self, (): ()) -> Self::Future {
        panic!("the service was called");
    }
}

// A peer asks a failing service whether it is ready before it rejects the call.
#[tokio::test]
async fn defect_12_an_open_circuit_leaves_the_inner_service_alone() {
    let (breaker, _) = live(plain());
    trip(&breaker);
    let mut service = CircuitBreakerLayer::new(breaker).layer(LeftAlone);
    for _ in 0..3 {
        let error = service.ready().await.unwrap().call(()).await.unwrap_err();
        assert!(error::rejected(&*error).is_some());
    }
}

// Peers call their listeners under the lock that reading the state takes.
#[test]
fn defect_13_an_observer_may_use_the_breaker_it_is_told_of() {
    without_deadlock(|| {
        let told = Arc::new(OnceLock::<Breaker>::new());
        let seen: Arc<Mutex<Vec<(State, State)>>> = Arc::default();
        let subscribed: Arc<Mutex<Vec<Events>>> = Arc::default();
        let observer = {
            let (told, seen, subscribed) = (told.clone(), seen.clone(), subscribed.clone());
            move |event: &Event| {
                let EventKind::Transition(transition) = &event.kind else { return };
                let breaker = told.get().expect("set before the first event");
                subscribed.lock().unwrap().push(breaker.subscribe());
                seen.lock().unwrap().push((transition.to, breaker.state()));
                let _ = (breaker.snapshot(), breaker.settings(), breaker.admitted());
                match transition.to {
                    State::Open => breaker.reset(),
                    State::Closed if seen.lock().unwrap().len() < 3 => breaker.force_open(),
                    _ => breaker.configure(plain().failure_threshold(9).build().unwrap()),
                }
                if let Ok(permit) = breaker.try_acquire() {
                    permit.record(Outcome::IGNORED);
                }
            }
        };
        let breaker = Breaker::builder("upstream")
            .clock(ManualClock::new())
            .observer(observer)
            .build()
            .unwrap();
        told.set(breaker.clone()).unwrap();
        calls(&breaker, 5, Outcome::FAILURE);

        // Opened, reset by the observer, forced open by it, and each was told of once.
        let states = seen.lock().unwrap().clone();
        let tos: Vec<_> = states.iter().map(|(to, _)| *to).collect();
        assert_eq!(tos, [State::Open, State::Closed, State::ForcedOpen]);
        assert_eq!(states[0].1, State::Open);
        assert_eq!(breaker.state(), State::ForcedOpen);
        assert_eq!(breaker.settings().failure_threshold(), Some(9));
        assert_eq!(subscribed.lock().unwrap().len(), 3);
    });
}
