//! How far what circuits decide reaches.

use std::sync::Arc;

use tower_breaker::{
    Breaker, Outcome, Registry, State,
    circuit::Override,
    registry::{By, Scope},
    store::MemoryStore,
};

use crate::support::{
    builder, eventually, fail, history, memory, probe, reaches, secs, settings, succeed,
};

#[tokio::test(start_paused = true)]
async fn a_circuit_of_its_own_tells_nobody_and_is_told_overrides_alone() {
    let store = memory();
    let own = |service: &str| (service == "own").then_some(Scope::Instance);
    let one = builder(&store).scope_for(own).start().await.unwrap();
    let two = builder(&store).scope_for(own).start().await.unwrap();
    let (here, there) = (one.breaker("own").unwrap(), two.breaker("own").unwrap());
    fail(&here, 2);
    tokio::time::sleep(secs(10)).await;
    assert_eq!((here.state(), there.state()), (State::Open, State::Closed));
    two.set_override("own", Override::ForcedOpen, By::nobody()).unwrap();
    reaches(&here, State::ForcedOpen).await;
    two.lift_override("own", By::nobody()).unwrap();
    reaches(&here, State::Closed).await;
    fail(&here, 2);
    tokio::time::sleep(secs(61)).await;
    // It lets its own probe through at once.
    here.try_acquire().expect("a probe").success();
    assert_eq!(here.state(), State::Closed);
    assert!(one.flush(secs(5)).await.is_nothing());
    let changes = history(&one, "own").await.len();
    assert_eq!(changes, 4, "what it did is in the history");
}

/// The circuit `a` in each of the registries.
fn circuits(registries: &[Registry]) -> Vec<Breaker> {
    registries.iter().map(|registry| registry.breaker("a").unwrap()).collect()
}

async fn quorum(
    store: &Arc<MemoryStore>,
    quorum: u32,
    processes: usize,
) -> (Vec<Registry>, Vec<Breaker>) {
    let mut registries = Vec::new();
    for _ in 0..processes {
        let fleet: Arc<MemoryStore> = Arc::clone(store);
        let registry =
            builder(store).fleet_store(fleet).scope(Scope::Fleet { quorum }).heartbeat(secs(1));
        registries.push(registry.start().await.unwrap());
    }
    let breakers = circuits(&registries);
    (registries, breakers)
}

#[tokio::test(start_paused = true)]
async fn as_many_as_a_quorum_asks_for_open_for_all() {
    let store = memory();
    let (registries, breakers) = quorum(&store, 3, 5).await;
    // One is poisoned: it opens, closes and opens for itself as often as it likes.
    for _ in 0..5 {
        fail(&breakers[0], 2);
        tokio::time::sleep(secs(61)).await;
        breakers[0].try_acquire().expect("its own probe").success();
    }
    fail(&breakers[0], 2);
    tokio::time::sleep(secs(5)).await;
    fail(&breakers[1], 2);
    tokio::time::sleep(secs(5)).await;
    assert!(breakers[2..].iter().all(|breaker| breaker.state() == State::Closed));
    fail(&breakers[2], 2);
    for breaker in &breakers {
        reaches(breaker, State::Open).await;
    }
    let events = history(&registries[0], "a").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].reason.as_deref(), Some("quorum"));
}

/// After a real outage the poisoned one must not keep the others open.
#[tokio::test(start_paused = true)]
async fn a_failed_probe_of_one_passes_the_lease_on_and_those_of_a_quorum_reopen() {
    let store = memory();
    let (_registries, breakers) = quorum(&store, 2, 3).await;
    fail(&breakers[0], 2);
    fail(&breakers[1], 2);
    for breaker in &breakers {
        reaches(breaker, State::Open).await;
    }
    tokio::time::sleep(secs(61)).await;
    // The first one fails: it waits, the others may try at once.
    probe(&breakers[0]).await.record(Outcome::FAILURE);
    reaches(&breakers[0], State::Open).await;
    assert!(breakers[0].snapshot().remaining.unwrap() > secs(30));
    // The second one fails too: that is a quorum.
    probe(&breakers[1]).await.record(Outcome::FAILURE);
    eventually("open for all", || {
        breakers[2].snapshot().remaining.is_some_and(|left| left > secs(30))
    })
    .await;
    // Next time it is well for the third, and so for all.
    tokio::time::sleep(secs(130)).await;
    probe(&breakers[0]).await.record(Outcome::FAILURE);
    probe(&breakers[2]).await.success();
    for breaker in &breakers {
        reaches(breaker, State::Closed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn windows_that_are_too_small_alone_open_together() {
    let store = memory();
    let rates = settings()
        .failure_threshold(None)
        .failure_rate_threshold(0.5)
        .minimum_number_of_calls(10)
        .build()
        .unwrap();
    let mut registries = Vec::new();
    for _ in 0..4 {
        let fleet: Arc<MemoryStore> = Arc::clone(&store);
        let registry = builder(&store)
            .defaults(rates.clone())
            .fleet_store(fleet)
            .share_windows(true)
            .scope_for(|service| (service == "own").then_some(Scope::Instance))
            .start()
            .await
            .unwrap();
        registries.push(registry);
    }
    let breakers = circuits(&registries);
    let own: Vec<_> = registries.iter().map(|registry| registry.breaker("own").unwrap()).collect();
    for breaker in &own {
        fail(breaker, 3);
    }
    for breaker in &breakers[..3] {
        fail(breaker, 2);
        succeed(breaker, 1);
    }
    tokio::time::sleep(secs(5)).await;
    assert!(breakers.iter().all(|breaker| breaker.state() == State::Closed), "9 of 10");
    fail(&breakers[3], 1);
    for breaker in &breakers {
        reaches(breaker, State::Open).await;
    }
    let events = history(&registries[0], "a").await;
    assert_eq!(events[0].reason.as_deref(), Some("fleet_failure_rate"));
    assert!(own.iter().all(|breaker| breaker.state() == State::Closed), "each has 3 of 10");
}
