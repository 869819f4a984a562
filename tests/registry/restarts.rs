//! A registry that starts where another one ended.

use std::sync::Arc;

use tower_breaker::{
    Breakers, Registry, State,
    registry::RegistryError,
    store::{
        MemoryStore,
        faulty::{Fault, Faults, FaultyStore},
    },
};

use crate::support::{
    builder, eventually, fail, history, memory, probe, reaches, secs, start, stopwatch, stored,
};

#[tokio::test(start_paused = true)]
async fn an_open_circuit_is_open_for_the_time_that_was_left() {
    let store = memory();
    let before = start(&store).await;
    fail(&before.breaker("payments").unwrap(), 2);
    let report = before.shutdown(secs(5)).await;
    assert!(report.is_nothing(), "{report:?}");

    tokio::time::sleep(secs(20)).await;
    let after = start(&store).await;
    let recovered = &after.recovered()[0];
    assert_eq!((recovered.service.as_str(), recovered.state), ("payments", State::Open));
    assert_eq!(recovered.reason.as_deref(), Some("2 failures in a row (threshold 2)"));

    let payments = after.breaker("payments").unwrap();
    let left = payments.snapshot().remaining.expect("an open circuit");
    assert!(left.abs_diff(secs(40)) < secs(1), "{left:?}");
    assert!(payments.try_acquire().is_err());
    tokio::time::sleep(secs(41)).await;
    probe(&payments).await.success();
    stored(&after, "payments", State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn each_state_change_is_one_link_of_a_chain_of_versions() {
    let store = memory();
    let registry = start(&store).await;
    let payments = registry.breaker("payments").unwrap();
    fail(&payments, 2);
    tokio::time::sleep(secs(61)).await;
    probe(&payments).await.success();
    stored(&registry, "payments", State::Closed).await;
    registry.shutdown(secs(5)).await;

    let events = history(&registry, "payments").await;
    let chain: Vec<_> = events
        .iter()
        .map(|event| (event.version.unwrap().counter, event.from.unwrap(), event.to.unwrap()))
        .collect();
    assert_eq!(
        chain,
        [
            (1, State::Closed, State::Open),
            (2, State::Open, State::HalfOpen),
            (3, State::HalfOpen, State::Closed),
        ]
    );
    assert_eq!(events[0].reason.as_deref(), Some("consecutive_failures"));
    assert!(events.iter().all(|event| event.id.run == registry.run_id()));
}

#[tokio::test(start_paused = true)]
async fn a_round_of_probes_that_a_crash_ended_is_begun_anew() {
    let store = memory();
    let faults = Faults::new();
    let faulty = Arc::new(FaultyStore::new(MemoryStore::clone(&store), &faults));
    let before = start(&faulty).await;
    let payments = before.breaker("payments").unwrap();
    fail(&payments, 2);
    tokio::time::sleep(secs(61)).await;
    let under_way = probe(&payments).await;
    stored(&before, "payments", State::HalfOpen).await;
    faults.set_all(Fault::error());

    // Nobody can tell whether the other one still probes, before the term of its lease is over.
    let after = start(&store).await;
    let payments = after.breaker("payments").unwrap();
    assert_eq!(payments.state(), State::Open);
    let started = stopwatch();
    probe(&payments).await.success();
    let waited = started();
    assert!(waited >= secs(10) && waited < secs(11), "{waited:?}");
    reaches(&payments, State::Closed).await;
    assert_eq!(after.stats().coordinator.takeovers, 1);
    drop(under_way);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_registry_commits_what_is_left() {
    let store = memory();
    let before = start(&store).await;
    fail(&before.breaker("payments").unwrap(), 2);
    drop(before);
    tokio::time::sleep(secs(2)).await;
    let after = start(&store).await;
    assert_eq!(after.breaker("payments").unwrap().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_none_is_an_error_or_shares_a_circuit() {
    let store = memory();
    let registry = builder(&store).max_services(1).start().await.unwrap();
    assert!(matches!(registry.breaker(""), Err(RegistryError::Name(_))));
    registry.breaker("payments").unwrap();
    let error = registry.breaker("inventory").unwrap_err();
    assert_eq!(error.to_string(), "there are 1 named circuits, and may be no more");
    for name in ["", "inventory"] {
        let answer = registry.call(name, async || Ok::<_, ()>(7)).await;
        assert_eq!(answer.unwrap(), 7);
        assert_eq!(Breakers::breaker(&registry, name).service().as_str(), "(overflow)");
    }
}

#[tokio::test(start_paused = true)]
async fn options_out_of_their_bounds_name_the_bound() {
    let refused = |builder: tower_breaker::registry::RegistryBuilder| async {
        builder.start().await.unwrap_err().to_string()
    };
    assert_eq!(
        refused(Registry::builder().max_services(0)).await,
        "max_services: 0 but must be from 1 to 1000000"
    );
    assert_eq!(
        refused(Registry::builder().poll_interval(secs(0))).await,
        "poll_interval: 0s but must be at least 10ms and at most 1h"
    );
}

#[test]
fn a_registry_needs_a_runtime() {
    let start = Registry::builder().start();
    let error = futures_util::future::FutureExt::now_or_never(start).unwrap().unwrap_err();
    assert!(matches!(error, RegistryError::NoRuntime), "{error}");
}

#[tokio::test(start_paused = true)]
async fn only_the_first_shutdown_does_anything() {
    let registry = Registry::builder().start().await.unwrap();
    registry.shutdown(secs(1)).await;
    assert_eq!(registry.shutdown(secs(1)).await, Default::default());
    let payments = registry.breaker("payments").unwrap();
    eventually("a circuit works on", || payments.try_acquire().is_ok()).await;
}
