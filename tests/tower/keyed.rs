//! A circuit for each key.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok};
use tower::{BoxError, Layer, ServiceExt, limit::ConcurrencyLimit, service_fn};
use tower_breaker::{
    Breaker, BreakerMap, CircuitBreaker, CircuitBreakerLayer, State,
    breaker::{Breakers, clock::ManualClock},
    circuit::RejectReason,
    error,
    service::Keyed,
};
use tower_test::mock::Spawn;

use crate::{inner::Inner, support::*};

type Key = for<'a> fn(&'a &'static str) -> Cow<'a, str>;
type OfKeys<S> = CircuitBreaker<S, Keyed<BreakerMap, Key>>;

fn map(capacity: usize) -> BreakerMap {
    let settings = plain().failure_threshold(2).build().unwrap();
    let builder = BreakerMap::builder().settings(settings).capacity(capacity);
    builder.clock(ManualClock::new()).build().unwrap()
}

fn keyed<S>(map: &BreakerMap, inner: S) -> OfKeys<S> {
    let key: Key = |request| Cow::Borrowed(*request);
    CircuitBreakerLayer::keyed(map.clone(), key).layer(inner)
}

#[tokio::test]
async fn each_key_has_its_own_circuit() {
    let map = map(10);
    let fails = service_fn(async |host: &'static str| match host {
        "down" => Err(BoxError::from("no")),
        _ => Ok(host),
    });
    let service = keyed(&map, fails);
    for _ in 0..2 {
        service.clone().oneshot("down").await.unwrap_err();
        service.clone().oneshot("up").await.unwrap();
    }
    let error = service.clone().oneshot("down").await.unwrap_err();
    assert_eq!(error::rejected(&*error).unwrap().service.as_str(), "down");
    assert_eq!(service.oneshot("up").await.unwrap(), "up");
    let state = |key| map.get(key).unwrap().state();
    assert_eq!((state("down"), state("up"), map.len()), (State::Open, State::Closed, 2));
}

#[test]
fn the_inner_service_is_always_polled() {
    let map = map(10);
    map.breaker("down").force_open();
    let inner = Inner::<&'static str>::default();
    let mut service = Spawn::new(keyed(&map, inner.clone()));
    assert_ready_ok!(service.poll_ready());
    assert_eq!(inner.polls(), 1);
    // Rejected: what was got is kept.
    assert_ready_err!(tokio_test::task::spawn(service.call("down")).poll());
    assert_ready_ok!(service.poll_ready());
    assert_ready_ok!(tokio_test::task::spawn(service.call("up")).poll());
    assert_eq!((inner.polls(), inner.calls()), (1, 1));
}

#[test]
fn a_service_that_is_not_ready_is_not_ready_behind_open_circuits_either() {
    let map = map(10);
    map.breaker("down").force_open();
    let limit = ConcurrencyLimit::new(Inner::<&'static str>::default(), 1);
    let mut hog = Spawn::new(limit.clone());
    assert_ready_ok!(hog.poll_ready());
    let mut service = Spawn::new(keyed(&map, limit));
    assert_pending!(service.poll_ready());
    drop(hog);
    assert!(service.is_woken());
    assert_ready_ok!(service.poll_ready());
}

#[test]
fn an_error_of_readiness_is_no_circuits_fault() {
    let map = map(10);
    drop(map.breaker("up"));
    let inner = Inner::<&'static str>::default();
    inner.fail_to_be_ready(true);
    let mut service = Spawn::new(keyed(&map, inner));
    for _ in 0..10 {
        assert_ready_err!(service.poll_ready());
    }
    assert_eq!(map.get("up").unwrap().snapshot().failed, 0);
    assert_eq!((map.overflow().snapshot().failed, map.len()), (0, 1));
}

#[test]
fn a_call_without_readiness_is_rejected_as_its_keys_own() {
    let map = map(10);
    let mut service = Spawn::new(keyed(&map, Inner::<&'static str>::default()));
    let error = assert_ready_err!(tokio_test::task::spawn(service.call("up")).poll());
    let rejected = error::rejected(&*error).unwrap();
    assert_eq!((rejected.service.as_str(), rejected.reason), ("up", RejectReason::NotReady));
}

#[tokio::test]
async fn keys_that_are_no_names_share_the_overflow_circuit_and_are_counted() {
    const TOO_LONG: &str = match std::str::from_utf8(&[b'x'; 257]) {
        Ok(text) => text,
        Err(_) => unreachable!(),
    };
    let map = map(10);
    let inner = Inner::<&'static str>::default();
    let service = keyed(&map, inner.clone());
    for key in ["", "a\nb", TOO_LONG] {
        service.clone().oneshot(key).await.unwrap();
    }
    assert_eq!((map.overflowed(), map.len()), (3, 0));
    inner.fail(true);
    service.clone().oneshot("").await.unwrap_err();
    service.clone().oneshot("a\nb").await.unwrap_err();
    assert_eq!(map.overflow().state(), State::Open);
    let error = service.clone().oneshot(TOO_LONG).await.unwrap_err();
    let rejected = error::rejected(&*error).unwrap();
    assert_eq!(rejected.service.as_str(), BreakerMap::OVERFLOW);
    assert_eq!((inner.calls(), map.overflowed()), (5, 6));
}

#[tokio::test]
async fn new_keys_share_the_overflow_circuit_where_the_map_is_full_of_open_ones() {
    let map = map(2);
    let inner = Inner::<&'static str>::default();
    inner.fail(true);
    let service = keyed(&map, inner.clone());
    for key in ["a", "a", "b", "b"] {
        service.clone().oneshot(key).await.unwrap_err();
    }
    inner.fail(false);
    service.clone().oneshot("c").await.unwrap();
    service.clone().oneshot("d").await.unwrap();
    assert_eq!((map.len(), map.overflowed(), map.evicted()), (2, 2, 0));
    assert_eq!(map.overflow().admitted(), 2);
    service.clone().oneshot("a").await.unwrap_err();
}

/// A closed set of circuits.
#[derive(Clone)]
struct Fixed(Arc<HashMap<&'static str, Breaker>>);

impl Breakers for Fixed {
    fn breaker(&self, key: &str) -> Breaker {
        self.0.get(key).unwrap_or_else(|| &self.0["rest"]).clone()
    }
}

#[tokio::test]
async fn breakers_may_come_from_elsewhere() {
    let of = |name| (name, Breaker::builder(name).build().unwrap());
    let fixed = Fixed(Arc::new(HashMap::from([of("a"), of("rest")])));
    fixed.0["rest"].force_open();
    let dynamic: Arc<dyn Breakers + Send + Sync> = Arc::new(fixed.clone());
    let layer = CircuitBreakerLayer::keyed(dynamic, |key: &String| Cow::Owned(key.to_lowercase()));
    let service = layer.layer(service_fn(async |key: String| Ok::<_, BoxError>(key)));
    assert_eq!(service.clone().oneshot("A".to_owned()).await.unwrap(), "A");
    service.clone().oneshot("B".to_owned()).await.unwrap_err();
    assert_eq!(fixed.0["a"].admitted(), 1);
}

#[tokio::test]
async fn a_panic_of_a_keyed_call_is_its_keys_failure() {
    let map = map(10);
    let service = keyed(
        &map,
        service_fn(async |key: &'static str| -> Result<(), BoxError> { panic!("{key}") }),
    );
    for _ in 0..2 {
        tokio::spawn(service.clone().oneshot("down")).await.unwrap_err();
    }
    assert_eq!(map.get("down").unwrap().state(), State::Open);
}
