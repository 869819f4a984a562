//! What services made by one layer, and clones of a service, have in common.

use std::{
    future::{Ready, ready},
    task::{Context, Poll, Waker},
    thread,
};

use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_breaker::{CircuitBreakerLayer, Outcome, SlidingWindow, State};

use crate::{inner::Inner, support::*};

#[tokio::test]
async fn a_layer_makes_services_of_one_circuit_however_often_it_is_applied() {
    let (breaker, _) = live(plain());
    let layer = CircuitBreakerLayer::new(breaker.clone());
    for _ in 0..5 {
        let inner = Inner::<u32>::default();
        inner.fail(true);
        layer.clone().layer(inner).oneshot(7).await.unwrap_err();
    }
    assert_eq!(breaker.state(), State::Open);
    let untouched = Inner::<u32>::default();
    layer.layer(untouched.clone()).oneshot(7).await.unwrap_err();
    assert_eq!(untouched.polls(), 0);
}

#[test]
fn a_clone_for_each_request_on_many_threads_counts_exactly() {
    const THREADS: u64 = 8;
    const EACH: u64 = 20_000;
    let settings = rate(1.0, SlidingWindow::count(1_000_000), 1_000_000).failure_threshold(1_000);
    let (breaker, _) = live(settings);
    let inner = |fails: bool| -> Ready<Result<(), BoxError>> {
        ready(if fails { Err("no".into()) } else { Ok(()) })
    };
    let service = CircuitBreakerLayer::new(breaker.clone()).layer(service_fn(inner));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut cx = Context::from_waker(Waker::noop());
                for call in 0..EACH {
                    let mut service = service.clone();
                    assert!(service.poll_ready(&mut cx).is_ready());
                    let mut future = std::pin::pin!(service.call(call % 10 == 0));
                    assert!(future.as_mut().poll(&mut cx).is_ready());
                }
            });
        }
    });
    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.admitted, THREADS * EACH);
    assert_eq!(snapshot.counts.calls, THREADS * EACH);
    assert_eq!(snapshot.counts.failures, THREADS * EACH / 10);
    assert_eq!(snapshot.failed, THREADS * EACH / 10);
}

#[test]
fn of_many_threads_exactly_the_permitted_number_probes() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(3));
    for _ in 0..50 {
        trip(&breaker);
        wait_out(&breaker, &clock);
        let probes: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| breaker.try_acquire().ok())).collect();
            threads.into_iter().filter_map(|it| it.join().unwrap()).collect()
        });
        assert_eq!((probes.len(), breaker.state()), (3, State::HalfOpen));
        probes.into_iter().for_each(|probe| probe.record(Outcome::SUCCESS));
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn a_clone_outlives_what_it_was_cloned_from_on_any_thread() {
    let (breaker, _) = live(plain());
    let events = breaker.subscribe();
    let service = {
        let layer = CircuitBreakerLayer::new(breaker);
        let original = layer.layer(service_fn(|()| ready(Err::<(), BoxError>("no".into()))));
        original.clone()
    };
    let mut service = thread::spawn(move || {
        let mut cx = Context::from_waker(Waker::noop());
        let mut service = service.clone();
        for _ in 0..4 {
            assert!(service.poll_ready(&mut cx).is_ready());
            assert!(std::pin::pin!(service.call(())).as_mut().poll(&mut cx).is_ready());
        }
        service
    })
    .join()
    .unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let Poll::Ready(Err(_)) = std::pin::pin!(service.call(())).as_mut().poll(&mut cx) else {
        panic!("it fails");
    };
    let mut events = events;
    let [open] = transitions(&mut events)[..] else { panic!("it opened once") };
    assert_eq!(open.to, State::Open);
}
