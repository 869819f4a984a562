//! Limits of load inside and outside of the breaker.

use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{
    Layer, Service, ServiceExt,
    limit::ConcurrencyLimit,
    load::{Constant, Load},
    load_shed::{LoadShed, error::Overloaded},
};
use tower_breaker::{Breaker, CircuitBreaker, CircuitBreakerLayer, State, error, service::OnOpen};
use tower_test::mock::Spawn;

use crate::{inner::Inner, support::*};

type Limited = Spawn<CircuitBreaker<ConcurrencyLimit<Inner>>>;

fn limited(breaker: &Breaker) -> (Limited, Inner) {
    let inner = Inner::<u32>::default();
    let limit = ConcurrencyLimit::new(inner.clone(), 1);
    (Spawn::new(CircuitBreakerLayer::new(breaker.clone()).layer(limit)), inner)
}

#[test]
fn a_rejected_call_does_not_lose_the_only_slot_of_a_limit_inside() {
    let (breaker, _) = live(plain());
    let (mut service, inner) = limited(&breaker);
    for _ in 0..10 {
        assert_ready_ok!(service.poll_ready());
        breaker.force_open();
        let mut call = task::spawn(service.call(7));
        let error = tokio_test::assert_ready_err!(call.poll());
        assert!(error::rejected(&*error).is_some());
        breaker.lift_override();
    }
    assert_ready_ok!(service.poll_ready());
    assert_eq!(assert_ready_ok!(task::spawn(service.call(7)).poll()), 7);
    assert_eq!((inner.polls(), inner.calls()), (1, 1));
}

#[test]
fn a_clone_that_is_ready_and_does_not_call_holds_the_slot_until_it_is_dropped() {
    let (breaker, _) = live(plain());
    let (mut idle, _) = limited(&breaker);
    assert_ready_ok!(idle.poll_ready());
    let mut other = idle.clone();
    assert_pending!(other.poll_ready());
    drop(idle);
    assert!(other.is_woken());
    assert_ready_ok!(other.poll_ready());
    assert_eq!(assert_ready_ok!(task::spawn(other.call(7)).poll()), 7);
}

#[test]
fn a_clone_of_a_ready_service_holds_no_slot() {
    let (breaker, _) = live(plain());
    let (mut service, _) = limited(&breaker);
    assert_ready_ok!(service.poll_ready());
    let clones: Vec<_> = (0..10).map(|_| service.clone()).collect();
    for _ in 0..3 {
        assert_ready_ok!(service.poll_ready());
        assert_eq!(assert_ready_ok!(task::spawn(service.call(7)).poll()), 7);
    }
    drop(clones);
}

#[test]
fn while_open_no_clone_takes_a_slot() {
    let (breaker, _) = live(plain());
    let (service, inner) = limited(&breaker);
    trip(&breaker);
    let mut clones: Vec<_> = (0..10).map(|_| service.clone()).collect();
    for clone in &mut clones {
        assert_ready_ok!(clone.poll_ready());
    }
    assert_eq!(inner.polls(), 0);
    breaker.reset();
    // The slot is there for the first that asks.
    assert_ready_ok!(clones[3].poll_ready());
    assert_eq!(assert_ready_ok!(task::spawn(clones[3].call(7)).poll()), 7);
}

#[tokio::test]
async fn a_limit_outside_is_given_back_by_every_rejection() {
    let (breaker, _) = live(plain());
    trip(&breaker);
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let service = ConcurrencyLimit::new(layer.layer(Inner::<u32>::default()), 1);
    for _ in 0..10 {
        let error = service.clone().oneshot(7).await.unwrap_err();
        assert!(error::rejected(&*error).is_some());
    }
}

#[tokio::test]
async fn load_shed_outside_hands_rejections_through() {
    let (breaker, _) = live(plain());
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let mut service = LoadShed::new(layer.layer(Inner::<u32>::default()));
    assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
    trip(&breaker);
    let error = service.ready().await.unwrap().call(7).await.unwrap_err();
    assert!(error::rejected(&*error).is_some() && !error.is::<Overloaded>());
}

#[tokio::test]
async fn load_shed_outside_of_a_circuit_that_waits_sheds_while_it_is_open() {
    let (breaker, _) = live(plain());
    let layer = CircuitBreakerLayer::new(breaker.clone()).on_open(OnOpen::Wait);
    let mut service = LoadShed::new(layer.layer(Inner::<u32>::default()));
    trip(&breaker);
    let error = service.ready().await.unwrap().call(7).await.unwrap_err();
    assert!(error.is::<Overloaded>());
    breaker.reset();
    assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
}

#[tokio::test]
async fn load_shed_inside_fails_calls_as_others_do() {
    let (breaker, _) = live(plain());
    let limit = ConcurrencyLimit::new(Inner::<u32>::default(), 1);
    let mut hog = limit.clone();
    assert!(hog.ready().await.is_ok());
    let service = CircuitBreakerLayer::new(breaker.clone()).layer(LoadShed::new(limit));
    for _ in 0..5 {
        assert!(service.clone().oneshot(7).await.unwrap_err().is::<Overloaded>());
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn the_load_of_the_inner_service_passes_through() {
    let (breaker, _) = live(plain());
    let single =
        CircuitBreakerLayer::new(breaker).layer(Constant::new(Inner::<u32>::default(), 42));
    assert_eq!(single.load(), 42);
}
