//! Circuits whose names come from outside.

use tower_breaker::{
    BreakerMap, Settings, State, circuit::Override, registry::By, store::StateStore,
};

use crate::support::{builder, eventually, fail, memory, probe, reaches, secs, settings, stored};

fn map() -> tower_breaker::breaker::BreakerMapBuilder {
    let settings: Settings = settings().build().expect("valid settings");
    BreakerMap::builder().settings(settings)
}

#[tokio::test(start_paused = true)]
async fn a_key_is_stored_once_its_circuit_leaves_closed() {
    let store = memory();
    let registry = builder(&store).start().await.unwrap();
    let hosts = registry.map(map()).unwrap();
    for key in 0..100 {
        hosts.breaker(&format!("host-{key}")).try_acquire().unwrap().success();
    }
    fail(&hosts.breaker("host-7"), 2);
    stored(&registry, "host-7", State::Open).await;
    assert_eq!(store.load_all(None).await.unwrap().stored.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_comes_back_begins_where_it_was() {
    let store = memory();
    let before = builder(&store).start().await.unwrap();
    fail(&before.map(map()).unwrap().breaker("host"), 2);
    before.shutdown(secs(5)).await;

    let after = builder(&store).start().await.unwrap();
    let hosts = after.map(map()).unwrap();
    assert!(hosts.get("host").is_none(), "it is made when it is asked for");
    let breaker = hosts.breaker("host");
    assert_eq!(breaker.state(), State::Open);
    tokio::time::sleep(secs(61)).await;
    probe(&breaker).await.success();
    reaches(&breaker, State::Closed).await;
    stored(&after, "host", State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_closed_and_idle_leaves_the_store() {
    let store = memory();
    let registry = builder(&store).keyed_idle_timeout(secs(300)).start().await.unwrap();
    let hosts = registry.map(map()).unwrap();
    let named = registry.breaker("named").unwrap();
    let host = hosts.breaker("host");
    for breaker in [&named, &host] {
        fail(breaker, 2);
    }
    tokio::time::sleep(secs(61)).await;
    for breaker in [&named, &host] {
        probe(breaker).await.success();
    }
    stored(&registry, "host", State::Closed).await;
    stored(&registry, "named", State::Closed).await;
    eventually("the key is removed", || registry.stored("host").is_none()).await;
    assert!(registry.stored("named").is_some());
}

#[tokio::test(start_paused = true)]
async fn an_override_of_a_key_is_shared_and_kept() {
    let store = memory();
    let one = builder(&store).start().await.unwrap();
    let two = builder(&store).start().await.unwrap();
    let here = one.map(map()).unwrap().breaker("host");
    let there = two.map(map()).unwrap().breaker("host");
    one.set_override("host", Override::ForcedOpen, By::who("ann")).unwrap();
    assert_eq!(here.state(), State::ForcedOpen, "the key's own circuit, not another of that name");
    reaches(&there, State::ForcedOpen).await;
    two.lift_override("host", By::who("ben")).unwrap();
    reaches(&here, State::Closed).await;
}
