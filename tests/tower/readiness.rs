//! Who is polled ready, when, and what comes of it.

use std::time::Duration;

use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{BoxError, Layer, Service};
use tower_breaker::{
    Breaker, CircuitBreaker, CircuitBreakerLayer, State, circuit::RejectReason, error,
};
use tower_test::{assert_request_eq, mock};

use crate::{inner::Inner, support::*};

type Spawned = mock::Spawn<CircuitBreaker<Inner>>;

fn spawned(breaker: &Breaker) -> (Spawned, Inner) {
    let inner = Inner::<u32>::default();
    let service = CircuitBreakerLayer::new(breaker.clone()).layer(inner.clone());
    (mock::Spawn::new(service), inner)
}

/// Calls, and expects an answer at once.
#[track_caller]
fn call(service: &mut Spawned) -> Result<u32, BoxError> {
    match task::spawn(service.call(7)).poll() {
        std::task::Poll::Ready(result) => result,
        std::task::Poll::Pending => panic!("pending"),
    }
}

#[track_caller]
fn reason(result: Result<u32, BoxError>) -> (RejectReason, Option<Duration>) {
    let error = result.expect_err("rejected");
    let rejected = error::rejected(&*error).expect("a rejection");
    (rejected.reason, rejected.retry_after)
}

#[tokio::test]
async fn a_closed_circuit_hands_readiness_requests_and_responses_through() {
    let (breaker, _) = live(plain());
    let (mut service, mut handle) =
        mock::spawn_layer::<&str, &str, _>(CircuitBreakerLayer::new(breaker.clone()));
    handle.allow(0);
    assert_pending!(service.poll_ready());
    handle.allow(1);
    assert!(service.is_woken());
    assert_ready_ok!(service.poll_ready());
    let mut response = task::spawn(service.call("hello"));
    assert_pending!(response.poll());
    assert_request_eq!(handle, "hello").send_response("world");
    assert_eq!(assert_ready_ok!(response.poll()), "world");

    handle.allow(1);
    assert_ready_ok!(service.poll_ready());
    let mut response = task::spawn(service.call("hello"));
    assert_request_eq!(handle, "hello").send_error("no");
    assert_eq!(assert_ready_err!(response.poll()).to_string(), "no");
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.admitted, snapshot.failed), (2, 1));
}

#[test]
fn an_open_circuit_never_polls_the_inner_service() {
    let (breaker, _) = live(plain());
    trip(&breaker);
    let (mut service, inner) = spawned(&breaker);
    for _ in 0..10 {
        assert_ready_ok!(service.poll_ready());
        assert_eq!(reason(call(&mut service)), (RejectReason::Open, Some(secs(60))));
    }
    assert_eq!((inner.polls(), inner.calls()), (0, 0));
}

#[test]
fn a_forced_open_and_a_full_half_open_circuit_do_not_poll_either() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let _probe = first_probe(&breaker, &clock);
    let (mut service, inner) = spawned(&breaker);
    assert_ready_ok!(service.poll_ready());
    assert_eq!(reason(call(&mut service)), (RejectReason::NoProbeLeft, None));
    breaker.force_open();
    assert_ready_ok!(service.poll_ready());
    assert_eq!(reason(call(&mut service)), (RejectReason::ForcedOpen, None));
    assert_eq!(inner.polls(), 0);
}

#[test]
fn a_service_that_was_not_polled_ready_is_never_called() {
    let (breaker, clock) = live(plain());
    trip(&breaker);
    let (mut service, inner) = spawned(&breaker);
    assert_ready_ok!(service.poll_ready());
    wait_out(&breaker, &clock);
    // The circuit would admit the call now.
    assert_eq!(reason(call(&mut service)), (RejectReason::NotReady, Some(Duration::ZERO)));
    assert_eq!((inner.polls(), inner.calls()), (0, 0));
    assert_eq!((breaker.state(), breaker.snapshot().rejected), (State::Open, 1));
    // Asked again, the inner service is polled and gets the probe.
    assert_ready_ok!(service.poll_ready());
    assert_eq!(call(&mut service).unwrap(), 7);
    assert_eq!((inner.polls(), inner.calls()), (1, 1));
}

#[test]
fn a_caller_that_does_not_poll_is_rejected_and_not_a_panic() {
    let (breaker, _) = live(plain());
    let (mut service, inner) = spawned(&breaker);
    assert_eq!(reason(call(&mut service)), (RejectReason::NotReady, Some(Duration::ZERO)));
    assert_eq!((inner.calls(), breaker.admitted()), (0, 0));
}

#[test]
fn readiness_is_kept_after_a_rejection_and_not_polled_again() {
    let (breaker, _) = live(plain());
    let (mut service, inner) = spawned(&breaker);
    assert_ready_ok!(service.poll_ready());
    breaker.force_open();
    for _ in 0..3 {
        assert_eq!(reason(call(&mut service)).0, RejectReason::ForcedOpen);
        assert_ready_ok!(service.poll_ready());
    }
    breaker.lift_override();
    assert_ready_ok!(service.poll_ready());
    assert_eq!(call(&mut service).unwrap(), 7);
    assert_eq!((inner.polls(), inner.calls()), (1, 1));
    // It was used up by the call.
    assert_ready_ok!(service.poll_ready());
    assert_eq!(inner.polls(), 2);
}

#[test]
fn readiness_is_each_clones_own() {
    let (breaker, _) = live(plain());
    let (mut service, inner) = spawned(&breaker);
    assert_ready_ok!(service.poll_ready());
    let mut clone = service.clone();
    assert_eq!(reason(call(&mut clone)).0, RejectReason::NotReady);
    assert_ready_ok!(clone.poll_ready());
    assert_eq!(inner.polls(), 2);
    assert_eq!(call(&mut clone).unwrap(), 7);
    assert_eq!(call(&mut service).unwrap(), 7);
}

#[test]
fn an_error_of_readiness_is_a_failure_while_closed() {
    let (breaker, _) = live(plain());
    let (mut service, inner) = spawned(&breaker);
    inner.fail_to_be_ready(true);
    for _ in 0..5 {
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(assert_ready_err!(service.poll_ready()).to_string(), "not ready");
    }
    assert_eq!(breaker.state(), State::Open);
    assert_ready_ok!(service.poll_ready());
    assert_eq!(inner.polls(), 5);
}

#[test]
fn an_error_of_readiness_is_no_call_that_took_no_time() {
    let (breaker, _) = live(plain());
    breaker.keep_latencies();
    let (mut service, inner) = spawned(&breaker);
    inner.fail_to_be_ready(true);
    assert_ready_err!(service.poll_ready());
    assert_eq!((breaker.snapshot().failed, breaker.drain_latencies().count()), (1, 0));
    inner.fail_to_be_ready(false);
    assert_ready_ok!(service.poll_ready());
    call(&mut service).unwrap();
    assert_eq!(breaker.drain_latencies().count(), 1);
}

#[test]
fn an_error_of_readiness_takes_a_probe_and_fails_it() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let (mut service, inner) = spawned(&breaker);
    inner.fail_to_be_ready(true);
    trip(&breaker);
    wait_out(&breaker, &clock);
    assert_ready_err!(service.poll_ready());
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.reopens), (State::Open, 1));
    assert_eq!(snapshot.trip_reason.unwrap().as_str(), "probes_failed");
}

#[test]
fn an_error_of_readiness_is_classified_as_that_of_a_call() {
    let (breaker, _) = live(plain().failure_threshold(1));
    let inner = Inner::<u32>::default();
    inner.fail_to_be_ready(true);
    let layer =
        CircuitBreakerLayer::new(breaker.clone()).classify(|result: Result<&u32, &BoxError>| {
            match result {
                Err(error) => error.to_string() != "not ready",
                Ok(_) => false,
            }
        });
    let mut service = mock::Spawn::<_>::new(layer.layer(inner.clone()));
    assert_ready_err!(mock::Spawn::poll_ready::<u32>(&mut service));
    assert_eq!(breaker.state(), State::Closed);
    inner.fail_to_be_ready(false);
    inner.fail(true);
    assert_ready_ok!(service.poll_ready());
    assert_ready_err!(task::spawn(service.call(1)).poll());
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn the_inner_service_can_be_reached() {
    let (breaker, _) = live(plain());
    let mut service = CircuitBreakerLayer::new(breaker).layer(Inner::<u32>::default());
    service.get_ref().fail(true);
    let mut cx = task::spawn(());
    assert!(cx.enter(|cx, _| Service::<u32>::poll_ready(service.get_mut(), cx)).is_ready());
    assert_eq!(service.into_inner().polls(), 1);
}
