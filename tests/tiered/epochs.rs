//! Fail-over, what is owed, and recovery.

use tower_breaker::{
    circuit::Version,
    store::{
        ChangeHint, Lane, StateStore, StoreError,
        faulty::{Fault, Operation},
    },
};

use crate::support::{Tiers, a_while, notice, override_reason, record, state_reason, told, write};

#[tokio::test(start_paused = true)]
async fn what_was_decided_without_the_durable_store_is_of_a_new_epoch_and_told_to_it_in_order() {
    let tiers = Tiers::new();
    let store = tiers.process();
    assert_eq!(write(&store, Lane::State, "0").await.unwrap().version, Version::new(0, 1));
    notice(&store, &tiers.durable_faults).await;
    for (nth, version) in [(1, Version::new(1, 2)), (2, Version::new(2, 3))] {
        let committed = write(&store, Lane::State, &nth.to_string()).await.unwrap();
        assert_eq!(committed.version, version);
    }
    let health = store.health();
    assert!(!health.durable.is_up() && health.cache.is_up());
    assert_eq!((health.durable.owed, health.fail_overs), (1, 1));
    assert!(health.durable.last_error.unwrap().contains("a fault of a test"));
    assert_eq!(state_reason(tiers.durable.inner()).await.as_deref(), Some("0"));

    tiers.durable_faults.clear_all();
    a_while().await;
    let health = store.health();
    assert!(health.durable.is_up());
    assert_eq!((health.durable.owed, health.recoveries, health.dropped_events), (0, 1, 0));
    let durable = record(tiers.durable.inner()).await.unwrap();
    assert_eq!(
        (durable.state.version, durable.state.reason.as_deref()),
        (Version::new(2, 3), Some("2"))
    );
    let all = [Version::new(0, 1), Version::new(1, 2), Version::new(2, 3)];
    assert_eq!(tiers.events().await, all, "every change has its event, once");
}

#[tokio::test(start_paused = true)]
async fn what_a_process_owed_when_it_died_is_brought_up_by_whoever_sees_it() {
    let tiers = Tiers::new();
    let (dies, _, durable) = tiers.apart();
    durable.set_all(Fault::error());
    write(&dies, Lane::State, "owed").await.unwrap();
    drop(dies);
    let other = tiers.process();
    other.load_all(None).await.unwrap();
    a_while().await;
    assert_eq!(state_reason(tiers.durable.inner()).await.as_deref(), Some("owed"));
    assert_eq!(tiers.events().await, [Version::new(1, 1)], "its event waited in the cache");
    assert_eq!(other.health().reseeds, 1);
}

#[tokio::test(start_paused = true)]
async fn what_an_emptied_cache_lost_is_put_back_by_who_owes_it() {
    let tiers = Tiers::new();
    let store = tiers.process();
    write(&store, Lane::State, "both").await.unwrap();
    notice(&store, &tiers.durable_faults).await;
    write(&store, Lane::State, "owed").await.unwrap();
    // The cache goes back to what the durable store has, as a reseed by others leaves it.
    let emptied = tiers.cache.inner().load(&crate::support::service()).await.unwrap().unwrap();
    let version = emptied.version(Lane::State);
    let expected = tower_breaker::store::Expected::version(Lane::State, version);
    tiers.cache.inner().remove(&crate::support::service(), expected).await.unwrap();
    tiers.cache.inner().forget_tombstones(std::time::Duration::ZERO, 9).await.unwrap();
    tiers.durable_faults.clear_all();
    a_while().await;
    for tier in [&tiers.cache, &tiers.durable] {
        assert_eq!(state_reason(tier.inner()).await.as_deref(), Some("owed"));
    }
    assert_eq!(store.health().durable.owed, 0);
}

#[tokio::test(start_paused = true)]
async fn an_empty_cache_is_filled_with_the_versions_unchanged() {
    let mut tiers = Tiers::new();
    let before = tiers.process();
    write(&before, Lane::Override, "person").await.unwrap();
    write(&before, Lane::State, "trip").await.unwrap();
    tiers.empty_cache();
    let store = tiers.process();
    assert_eq!(state_reason(&store).await.as_deref(), Some("trip"));
    a_while().await;
    let (cache, durable) =
        (record(tiers.cache.inner()).await.unwrap(), record(tiers.durable.inner()).await.unwrap());
    assert_eq!(cache.versions(), durable.versions());
    assert_eq!(cache.override_, durable.override_);
    assert_eq!(store.health().reseeds, 1);
}

#[tokio::test(start_paused = true)]
async fn an_override_on_the_durable_store_outlives_an_epoch_and_the_state_does_not() {
    let tiers = Tiers::new();
    let all = tiers.process();
    write(&all, Lane::State, "before").await.unwrap();
    let (cache_only, _, no_durable) = tiers.apart();
    let (durable_only, no_cache, _) = tiers.apart();
    no_durable.set_all(Fault::error());
    no_cache.set_all(Fault::error());
    for lane in [Lane::State, Lane::Override] {
        write(&cache_only, lane, "cache").await.unwrap();
        write(&cache_only, lane, "cache again").await.unwrap();
        write(&durable_only, lane, "durable").await.unwrap();
    }
    all.load_all(None).await.unwrap();
    a_while().await;
    for tier in [&tiers.cache, &tiers.durable] {
        assert_eq!(state_reason(tier.inner()).await.as_deref(), Some("cache again"));
        assert_eq!(override_reason(tier.inner()).await.as_deref(), Some("durable"));
    }
    assert!(all.health().conflicts >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_the_durable_store_refuses_loses_and_the_cache_follows() {
    let tiers = Tiers::new();
    let all = tiers.process();
    write(&all, Lane::State, "before").await.unwrap();
    let (durable_only, no_cache, _) = tiers.apart();
    no_cache.set_all(Fault::error());
    write(&durable_only, Lane::State, "winner").await.unwrap();
    let lost = write(&all, Lane::State, "loser").await.unwrap_err();
    let StoreError::Conflict { current: Some(current) } = lost else { panic!("{lost:?}") };
    assert_eq!(current.record().unwrap().state.reason.as_deref(), Some("winner"));
    assert_eq!(state_reason(tiers.cache.inner()).await.as_deref(), Some("winner"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_tier_is_not_asked_but_for_probes() {
    let tiers = Tiers::new();
    let store = tiers.process();
    write(&store, Lane::State, "before").await.unwrap();
    notice(&store, &tiers.cache_faults).await;
    let asked = tiers.cache_faults.calls(Operation::CompareAndSwap);
    for _ in 0..10 {
        write(&store, Lane::State, "alone").await.unwrap();
    }
    assert_eq!(tiers.cache_faults.calls(Operation::CompareAndSwap), asked);
    assert_eq!(state_reason(&store).await.as_deref(), Some("alone"));
    tiers.cache_faults.clear_all();
    a_while().await;
    assert_eq!(state_reason(tiers.cache.inner()).await.as_deref(), Some("alone"));
}

#[tokio::test(start_paused = true)]
async fn with_both_tiers_gone_a_write_fails_and_nothing_is_decided() {
    let tiers = Tiers::new();
    let store = tiers.process();
    tiers.cache_faults.set_all(Fault::hang());
    tiers.durable_faults.set_all(Fault::hang());
    for _ in 0..3 {
        assert!(store.load(&crate::support::service()).await.unwrap_err().is_unavailable());
    }
    tiers.cache_faults.clear_all();
    tiers.durable_faults.clear_all();
    a_while().await;
    assert_eq!(write(&store, Lane::State, "after").await.unwrap().version, Version::new(0, 1));
    assert_eq!((store.health().fail_overs, store.health().recoveries), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn watchers_are_told_to_look_at_everything_on_every_turn() {
    let tiers = Tiers::new();
    let store = tiers.process();
    let mut hints = store.watch();
    assert_eq!(told(&mut hints).await, Some(ChangeHint::Resync));
    assert_eq!(told(&mut hints).await, None);
    notice(&store, &tiers.cache_faults).await;
    assert_eq!(told(&mut hints).await, Some(ChangeHint::Resync));
    tiers.cache_faults.clear_all();
    a_while().await;
    assert_eq!(told(&mut hints).await, Some(ChangeHint::Resync));
}
