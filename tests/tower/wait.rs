//! A circuit that is not ready while it is open, for load balancers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{
    BoxError, Layer, Service, ServiceExt, balance::p2c::Balance, discover::ServiceList,
    load::Constant, service_fn,
};
use tower_breaker::{
    Breaker, CircuitBreaker, CircuitBreakerLayer, Outcome, State,
    breaker::clock::TokioClock,
    circuit::{Adoption, SettingsBuilder, Version},
    error,
    service::OnOpen,
};
use tower_test::mock::Spawn;

use crate::{inner::Inner, support::*};

type Waiting = Spawn<CircuitBreaker<Inner>>;

fn breaker(settings: SettingsBuilder) -> Breaker {
    Breaker::builder("upstream")
        .settings(settings.build().unwrap())
        .clock(TokioClock::new())
        .build()
        .unwrap()
}

fn waiting(breaker: &Breaker) -> (Waiting, Inner) {
    let inner = Inner::<u32>::default();
    let layer = CircuitBreakerLayer::new(breaker.clone()).on_open(OnOpen::Wait);
    (Spawn::new(layer.layer(inner.clone())), inner)
}

fn one_probe() -> Breaker {
    breaker(plain().permitted_calls_in_half_open(1))
}

#[track_caller]
fn call(service: &mut Waiting) -> Result<u32, BoxError> {
    match task::spawn(service.call(7)).poll() {
        std::task::Poll::Ready(result) => result,
        std::task::Poll::Pending => panic!("pending"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_circuit_is_ready_and_calls() {
    let breaker = one_probe();
    let (mut service, _) = waiting(&breaker);
    for _ in 0..3 {
        assert_ready_ok!(service.poll_ready());
        assert_ready_ok!(service.poll_ready());
        assert_eq!(call(&mut service).unwrap(), 7);
    }
    assert_eq!(breaker.admitted(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_is_not_ready_until_its_time_is_over() {
    let breaker = one_probe();
    let (mut service, inner) = waiting(&breaker);
    trip(&breaker);
    assert_pending!(service.poll_ready());
    tokio::time::sleep(secs(59)).await;
    assert!(!service.is_woken());
    assert_pending!(service.poll_ready());
    tokio::time::sleep(secs(1) + ms(1)).await;
    assert!(service.is_woken());
    assert_eq!(inner.polls(), 0);
    assert_ready_ok!(service.poll_ready());
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(call(&mut service).unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_woken_by_what_people_and_other_processes_do() {
    let lifts: [fn(&Breaker); 3] = [Breaker::reset, Breaker::disable, |breaker| {
        breaker.adopt(Adoption {
            state: State::Closed,
            elapsed: secs(0),
            open_for: secs(0),
            reopens: 0,
            version: Version::new(1, 0),
        });
    }];
    for lift in lifts {
        let breaker = one_probe();
        breaker.adopt(Adoption {
            state: State::Open,
            elapsed: secs(0),
            open_for: secs(1_000),
            reopens: 0,
            version: Version::new(0, 9),
        });
        let (mut service, _) = waiting(&breaker);
        assert_pending!(service.poll_ready());
        lift(&breaker);
        assert!(service.is_woken());
        assert_ready_ok!(service.poll_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn a_forced_open_circuit_sets_no_timer_and_wakes_when_it_is_lifted() {
    let breaker = one_probe();
    let (mut service, _) = waiting(&breaker);
    breaker.force_open();
    assert_pending!(service.poll_ready());
    tokio::time::sleep(secs(100_000)).await;
    assert!(!service.is_woken());
    breaker.lift_override();
    assert!(service.is_woken());
    assert_ready_ok!(service.poll_ready());
}

#[tokio::test(start_paused = true)]
async fn readiness_reserves_the_probe_and_dropping_it_gives_the_place_to_the_next() {
    let breaker = one_probe();
    trip(&breaker);
    tokio::time::sleep(secs(60)).await;
    let ((mut first, _), (mut second, _)) = (waiting(&breaker), waiting(&breaker));
    assert_ready_ok!(first.poll_ready());
    assert_pending!(second.poll_ready());
    assert_pending!(second.poll_ready());
    // However long it was held: a reservation is no call.
    tokio::time::sleep(secs(100)).await;
    drop(first);
    assert!(second.is_woken());
    assert_ready_ok!(second.poll_ready());
    assert_eq!(call(&mut second).unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_clone_reserves_for_itself() {
    let breaker = one_probe();
    trip(&breaker);
    tokio::time::sleep(secs(60)).await;
    let (mut first, _) = waiting(&breaker);
    assert_ready_ok!(first.poll_ready());
    let mut clone = first.clone();
    assert_pending!(clone.poll_ready());
    assert_eq!(call(&mut first).unwrap(), 7);
    assert!(clone.is_woken());
    assert_ready_ok!(clone.poll_ready());
}

#[tokio::test(start_paused = true)]
async fn a_reservation_ends_when_the_circuit_opens() {
    let breaker = one_probe();
    let (mut service, inner) = waiting(&breaker);
    assert_ready_ok!(service.poll_ready());
    breaker.force_open();
    // Whoever calls all the same is rejected.
    let error = call(&mut service.clone()).unwrap_err();
    assert!(error::rejected(&*error).is_some());
    let error = call(&mut service).unwrap_err();
    assert!(error::rejected(&*error).is_some());
    assert_pending!(service.poll_ready());
    breaker.lift_override();
    assert_ready_ok!(service.poll_ready());
    assert_eq!(call(&mut service).unwrap(), 7);
    assert_eq!((inner.polls(), inner.calls()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_reservation_is_held_no_longer_than_the_half_open_round() {
    let breaker = one_probe();
    trip(&breaker);
    tokio::time::sleep(secs(60)).await;
    let (mut idle, inner) = waiting(&breaker);
    assert_ready_ok!(idle.poll_ready());
    tokio::time::sleep(secs(120)).await;
    // Nobody else asked: the reservation is over, and the call is the probe of a round of its own.
    let before = breaker.snapshot().generation;
    assert_eq!(call(&mut idle).unwrap(), 7);
    assert_eq!((breaker.state(), inner.calls()), (State::Closed, 1));
    // Open, half-open, closed.
    assert_eq!(breaker.snapshot().generation, before + 3);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_round_that_another_reserved_wakes_those_who_wait() {
    let breaker = one_probe();
    trip(&breaker);
    tokio::time::sleep(secs(60)).await;
    let ((mut idle, _), (mut second, _)) = (waiting(&breaker), waiting(&breaker));
    assert_ready_ok!(idle.poll_ready());
    assert_pending!(second.poll_ready());
    tokio::time::sleep(secs(121)).await;
    assert!(second.is_woken());
    assert_ready_ok!(second.poll_ready());
    assert_eq!((breaker.state(), breaker.snapshot().reopens), (State::HalfOpen, 0));
    assert_pending!(idle.poll_ready());
}

#[tokio::test(start_paused = true)]
async fn a_reserved_call_is_as_old_as_the_call() {
    let breaker = breaker(plain().failure_threshold(1));
    let (mut service, inner) = waiting(&breaker);
    inner.pend(1);
    assert_ready_ok!(service.poll_ready());
    tokio::time::sleep(secs(100)).await;
    let mut call = task::spawn(service.call(7));
    assert_pending!(call.poll());
    drop(call);
    assert_eq!(breaker.state(), State::Closed);
}

// Though the breaker reads the start of each call, where it looks for slow ones.
#[tokio::test(start_paused = true)]
async fn a_reservation_that_was_held_long_and_is_dropped_is_no_failure() {
    let breaker = breaker(slow_rate(1.0, 10, 1).failure_threshold(1));
    let (mut service, _) = waiting(&breaker);
    assert_ready_ok!(service.poll_ready());
    tokio::time::sleep(secs(100)).await;
    drop(service);
    assert_eq!((breaker.state(), breaker.snapshot().failed), (State::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_fails_the_reserved_probe() {
    let breaker = one_probe();
    let (mut service, inner) = waiting(&breaker);
    inner.fail_to_be_ready(true);
    trip(&breaker);
    tokio::time::sleep(secs(60)).await;
    assert_ready_err!(service.poll_ready());
    assert_eq!((breaker.state(), breaker.snapshot().reopens), (State::Open, 1));
    assert_pending!(service.poll_ready());
}

static DOWN: AtomicBool = AtomicBool::new(false);
static CALLS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

#[tokio::test(start_paused = true)]
async fn a_balancer_turns_to_the_healthy_endpoint_and_back() {
    let breakers = [one_probe(), one_probe()];
    let endpoints = (0..2).map(|index| {
        let inner = service_fn(move |()| async move {
            CALLS[index].fetch_add(1, SeqCst);
            match index == 0 && DOWN.load(SeqCst) {
                true => Err(BoxError::from("down")),
                false => Ok(index),
            }
        });
        CircuitBreakerLayer::new(breakers[index].clone())
            .on_open(OnOpen::Wait)
            .layer(Constant::new(inner, 1))
    });
    let endpoints: Vec<_> = endpoints.collect();
    let mut balance = Balance::new(ServiceList::new::<()>(endpoints));
    let calls = |index: usize| CALLS[index].swap(0, SeqCst);

    let mut failed = 0;
    for _ in 0..200 {
        balance.ready().await.unwrap().call(()).await.unwrap();
    }
    assert!(calls(0) > 20 && calls(1) > 20, "both are used");

    DOWN.store(true, SeqCst);
    for _ in 0..200 {
        failed += usize::from(balance.ready().await.unwrap().call(()).await.is_err());
    }
    assert_eq!((failed, calls(0), calls(1)), (5, 5, 195), "only what it took to open");
    assert_eq!(breakers[0].state(), State::Open);

    DOWN.store(false, SeqCst);
    tokio::time::sleep(secs(61)).await;
    for _ in 0..200 {
        balance.ready().await.unwrap().call(()).await.unwrap();
    }
    assert!(calls(0) > 20 && calls(1) > 20, "both are used again");
    assert_eq!(breakers[0].state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_balancer_without_a_healthy_endpoint_waits_for_the_first_that_recovers() {
    let breaker = one_probe();
    let layer = CircuitBreakerLayer::new(breaker.clone()).on_open(OnOpen::Wait);
    let endpoint = layer.layer(Constant::new(Inner::<u32>::default(), 1));
    let mut balance = Balance::new(ServiceList::new::<u32>(vec![endpoint]));
    trip(&breaker);
    let begun = breaker.snapshot().remaining.unwrap();
    assert_eq!(begun, secs(60));
    // Paused time jumps to the timer of the endpoint.
    assert_eq!(balance.ready().await.unwrap().call(7).await.unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, Outcome::SUCCESS);
}
