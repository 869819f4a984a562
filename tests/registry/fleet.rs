//! Registries that share a store and probe one at a time.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tower_breaker::{
    Outcome, Registry, State,
    circuit::{Gate, Override, RejectReason},
    registry::{By, RegistryError, Scope},
    store::{
        MemoryStore,
        faulty::{Fault, Faults, FaultyStore},
    },
};

use crate::support::{
    builder, eventually, fail, history, memory, probe, reaches, secs, settings, start, stopwatch,
    stored,
};

async fn both(store: &Arc<MemoryStore>) -> (Registry, Registry) {
    (start(store).await, start(store).await)
}

/// Opens `a` in both, and waits until its time is over.
async fn open(one: &Registry, two: &Registry) {
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    fail(&here, 2);
    reaches(&there, State::Open).await;
    tokio::time::sleep(secs(61)).await;
}

#[tokio::test(start_paused = true)]
async fn while_one_probes_the_others_do_not() {
    let store = memory();
    let (one, two) = both(&store).await;
    open(&one, &two).await;
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    let probe = probe(&here).await;
    reaches(&there, State::HalfOpen).await;
    // For as long as it takes: the lease is renewed while the probe is under way.
    for _ in 0..40 {
        tokio::time::sleep(secs(1)).await;
        let rejected = there.try_acquire().unwrap_err();
        assert_eq!(rejected.reason, RejectReason::AwaitingGrant);
    }
    probe.success();
    reaches(&there, State::Closed).await;
    assert_eq!(one.stats().coordinator.leases + two.stats().coordinator.leases, 1);
}

#[tokio::test(start_paused = true)]
async fn of_many_that_ask_at_once_one_probes() {
    let store = memory();
    let mut registries = Vec::new();
    for _ in 0..8 {
        registries.push(start(&store).await);
    }
    let breakers: Vec<_> =
        registries.iter().map(|registry| registry.breaker("a").unwrap()).collect();
    fail(&breakers[0], 2);
    for breaker in &breakers {
        reaches(breaker, State::Open).await;
    }
    tokio::time::sleep(secs(61)).await;
    let mut probes = Vec::new();
    for _ in 0..200 {
        probes.extend(breakers.iter().filter_map(|breaker| breaker.try_acquire().ok()));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(probes.len(), 1);
    let leases: u64 = registries.iter().map(|registry| registry.stats().coordinator.leases).sum();
    assert_eq!(leases, 1);
}

/// The calls that came while it was open show that somebody will call.
#[tokio::test(start_paused = true)]
async fn a_service_that_is_called_is_leased_when_its_time_is_over() {
    let store = memory();
    let registry = start(&store).await;
    let here = registry.breaker("a").unwrap();
    fail(&here, 2);
    stored(&registry, "a", State::Open).await;
    tokio::time::sleep(secs(30)).await;
    here.try_acquire().unwrap_err();
    tokio::time::sleep(secs(31)).await;
    here.try_acquire().expect("the lease was taken before anybody asked").success();
    reaches(&here, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn the_late_result_of_a_lost_lease_changes_nothing() {
    let store = memory();
    let faults = Faults::new();
    let faulty = Arc::new(FaultyStore::new(MemoryStore::clone(&store), &faults));
    let (one, two) = (start(&faulty).await, start(&store).await);
    open(&one, &two).await;
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    let late = probe(&here).await;
    reaches(&there, State::HalfOpen).await;
    faults.set_all(Fault::error());
    let theirs = probe(&there).await;
    assert_eq!(two.stats().coordinator.takeovers, 1);
    theirs.record(Outcome::FAILURE);
    reaches(&there, State::Open).await;
    // The first one hears of nothing, and believes that the service is well.
    late.success();
    reaches(&here, State::Closed).await;
    faults.clear_all();
    reaches(&here, State::Open).await;
    assert_eq!(there.state(), State::Open);
    assert_eq!(one.stats().coordinator.fenced, 1);
    let events = history(&two, "a").await;
    assert!(events.iter().all(|event| event.to != Some(State::Closed)), "{events:?}");
}

/// The circuit left the round of the one that died before it took the lease over, and was told of
/// that after.
#[tokio::test(start_paused = true)]
async fn what_a_round_came_to_that_was_taken_over_is_for_all() {
    let store = memory();
    let faults = Faults::new();
    let faulty = Arc::new(FaultyStore::new(MemoryStore::clone(&store), &faults));
    let (one, two, three) = (start(&faulty).await, start(&store).await, start(&store).await);
    open(&one, &two).await;
    let [here, there, elsewhere] =
        [&one, &two, &three].map(|registry| registry.breaker("a").unwrap());
    let _dies = probe(&here).await;
    reaches(&there, State::HalfOpen).await;
    faults.set_all(Fault::error());
    let theirs = probe(&there).await;
    reaches(&elsewhere, State::HalfOpen).await;
    // It is renewed for as long as the probe takes.
    tokio::time::sleep(secs(30)).await;
    assert_eq!(elsewhere.try_acquire().unwrap_err().reason, RejectReason::AwaitingGrant);
    theirs.success();
    let clock = stopwatch();
    reaches(&elsewhere, State::Closed).await;
    assert!(clock() < secs(1), "{:?}", clock());
    let stats = [two.stats().coordinator, three.stats().coordinator];
    assert_eq!(stats.map(|stats| (stats.takeovers, stats.lost)), [(1, 0), (0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_is_called_once_a_minute_closes_again() {
    let store = memory();
    let (one, two) = both(&store).await;
    open(&one, &two).await;
    let breakers = [one.breaker("a").unwrap(), two.breaker("a").unwrap()];
    let mut closed = None;
    for minute in 0..10 {
        let breaker = &breakers[minute % 2];
        if let Ok(permit) = breaker.try_acquire() {
            permit.success();
        }
        tokio::time::sleep(secs(60)).await;
        if breakers.iter().all(|breaker| breaker.state() == State::Closed) {
            closed = Some(minute);
            break;
        }
    }
    assert!(closed.is_some_and(|minute| minute <= 3), "{closed:?}");
    let unused = one.stats().coordinator.unused_leases + two.stats().coordinator.unused_leases;
    assert_eq!(unused, 2, "two in a row, and then nobody leases");
}

#[tokio::test(start_paused = true)]
async fn with_the_store_down_each_process_probes_alone() {
    let store = memory();
    let faults = Faults::new();
    let faulty = Arc::new(FaultyStore::new(MemoryStore::clone(&store), &faults));
    let (one, two) = (start(&faulty).await, start(&faulty).await);
    open(&one, &two).await;
    faults.set_all(Fault::error());
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    let probes = [probe(&here).await, probe(&there).await];
    assert_eq!((here.state(), there.state()), (State::HalfOpen, State::HalfOpen));
    for probe in probes {
        probe.success();
    }
    faults.clear_all();
    stored(&one, "a", State::Closed).await;
    stored(&two, "a", State::Closed).await;
    assert_eq!((here.state(), there.state()), (State::Closed, State::Closed));
}

/// Whoever waits for another process's round must not wait for ever when nobody can tell its end.
#[tokio::test(start_paused = true)]
async fn a_process_that_ends_leaves_its_circuits_to_themselves_and_its_lease_to_others() {
    let store = memory();
    let (one, two) = both(&store).await;
    open(&one, &two).await;
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    here.try_acquire().unwrap_err();
    reaches(&there, State::HalfOpen).await;
    one.shutdown(secs(1)).await;
    let started = stopwatch();
    let theirs = probe(&there).await;
    assert!(started() < secs(2), "{:?}", started());
    theirs.success();
    reaches(&there, State::Closed).await;
    two.shutdown(secs(1)).await;
    // On their own both go on.
    fail(&there, 2);
    for breaker in [&here, &there] {
        tokio::time::sleep(secs(61)).await;
        breaker.try_acquire().expect("its own probe").success();
        assert_eq!(breaker.state(), State::Closed);
    }
}

/// Whoever took over at once would probe beside it.
#[tokio::test(start_paused = true)]
async fn a_process_that_ends_while_it_probes_keeps_its_lease_for_the_term() {
    let store = memory();
    let (one, two) = both(&store).await;
    open(&one, &two).await;
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    let under_way = probe(&here).await;
    reaches(&there, State::HalfOpen).await;
    one.shutdown(secs(1)).await;
    let started = stopwatch();
    let theirs = probe(&there).await;
    assert!(started() > secs(7), "{:?}", started());
    assert_eq!(two.stats().coordinator.unused_leases, 0);
    theirs.success();
    reaches(&there, State::Closed).await;
    drop(under_way);
}

/// The second opening is shorter than what was left of the first.
#[tokio::test(start_paused = true)]
async fn an_opening_after_a_reset_is_seen_to_in_its_own_time() {
    let store = memory();
    let (one, two) = both(&store).await;
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    here.configure(settings().recovery_timeout(secs(3600)).build().unwrap());
    fail(&here, 2);
    reaches(&there, State::Open).await;
    one.reset("a").unwrap();
    reaches(&there, State::Closed).await;
    fail(&there, 2);
    reaches(&here, State::Open).await;
    here.try_acquire().unwrap_err();
    tokio::time::sleep(secs(61)).await;
    here.try_acquire().expect("the lease was taken at the end of the second one").success();
    reaches(&there, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn an_override_that_is_lifted_while_another_probes_closes_everywhere() {
    let store = memory();
    let (one, two) = both(&store).await;
    open(&one, &two).await;
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    let under_way = probe(&here).await;
    reaches(&there, State::HalfOpen).await;
    two.set_override("a", Override::ForcedOpen, By::who("ann")).unwrap();
    reaches(&here, State::ForcedOpen).await;
    two.lift_override("a", By::who("ann")).unwrap();
    reaches(&here, State::Closed).await;
    stored(&one, "a", State::Closed).await;
    under_way.record(Outcome::FAILURE);
    tokio::time::sleep(secs(30)).await;
    assert_eq!((here.state(), there.state()), (State::Closed, State::Closed));
}

/// The circuit was closed in between: the next opening is leased like any other.
#[tokio::test(start_paused = true)]
async fn a_lifted_override_ends_probing_without_a_lease() {
    let store = memory();
    let (one, two) = both(&store).await;
    open(&one, &two).await;
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    for _ in 0..2 {
        here.try_acquire().unwrap_err();
        tokio::time::sleep(secs(10)).await;
    }
    assert_eq!(here.gate(), Gate::Single);
    one.set_override("a", Override::ForcedOpen, By::nobody()).unwrap();
    one.lift_override("a", By::nobody()).unwrap();
    stored(&one, "a", State::Closed).await;
    fail(&here, 2);
    reaches(&there, State::Open).await;
    assert_eq!((here.gate(), there.gate()), (Gate::Granted, Gate::Granted));
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_ones_own_decides_without_a_call() {
    let store = memory();
    let probed = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&probed);
    let registry = builder(&store)
        .defaults(settings().permitted_calls_in_half_open(3).build().unwrap())
        .probe(move |service| {
            assert_eq!(service.as_str(), "a");
            // The first round panics, the second fails, the third is well.
            let round = count.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(round > 0, "a probe that panics has failed");
                round > 1
            }
        })
        .start()
        .await
        .unwrap();
    let here = registry.breaker("a").unwrap();
    fail(&here, 2);
    reaches(&here, State::Open).await;
    let since = stopwatch();
    eventually("closed by the probe", || here.state() == State::Closed).await;
    assert_eq!(probed.load(Ordering::Relaxed), 5);
    assert!(since() >= secs(180), "{:?}", since());
}

#[tokio::test]
async fn options_of_a_fleet_are_checked_and_name_the_bound() {
    let millis = std::time::Duration::from_millis;
    let none = |quorum| Registry::builder().scope(Scope::Fleet { quorum });
    for (builder, says) in [
        (none(0), "scope"),
        (none(1001), "quorum 1001 but must be from 1 to 1000"),
        (none(2), "needs a fleet_store"),
        (Registry::builder().share_windows(true), "share_windows"),
        (Registry::builder().lease_term(millis(99)), "lease_term"),
        (Registry::builder().heartbeat(millis(99)), "heartbeat"),
    ] {
        let error = builder.start().await.unwrap_err();
        assert!(matches!(error, RegistryError::Option { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}
