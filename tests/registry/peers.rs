//! Registries that share a store.

use std::sync::Arc;

use tower_breaker::{
    State,
    store::{
        MemoryStore, StateStore, Stored,
        faulty::{Fault, Faults, FaultyStore},
    },
};

use crate::support::{
    eventually, fail, history, memory, probe, reaches, secs, start, stored, succeed,
};

#[tokio::test(start_paused = true)]
async fn what_one_opens_the_other_opens_and_what_one_closes_the_other_closes() {
    let store = memory();
    let (one, two) = (start(&store).await, start(&store).await);
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    fail(&here, 2);
    reaches(&there, State::Open).await;
    let left = there.snapshot().remaining.unwrap();
    assert!(left > secs(58) && left <= secs(60), "{left:?}");

    tokio::time::sleep(secs(61)).await;
    probe(&there).await.success();
    reaches(&there, State::Closed).await;
    reaches(&here, State::Closed).await;
    assert_eq!(one.stats().coordinator.refused + two.stats().coordinator.refused, 0);
}

/// Neither waits for the other, so both propose over the same version: one of them has to lose.
#[tokio::test(start_paused = true)]
async fn of_two_that_open_at_once_one_is_recorded() {
    let store = memory();
    let (one, two) = (start(&store).await, start(&store).await);
    let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
    fail(&here, 2);
    fail(&there, 2);
    stored(&one, "a", State::Open).await;
    stored(&two, "a", State::Open).await;
    one.shutdown(secs(5)).await;
    two.shutdown(secs(5)).await;
    let events = history(&one, "a").await;
    let versions: Vec<_> = events.iter().map(|event| event.version.unwrap().counter).collect();
    assert_eq!(versions, [1]);
    assert_eq!((here.state(), there.state()), (State::Open, State::Open));
}

/// Everybody changes everything for a while, without any order.
#[tokio::test(start_paused = true)]
async fn a_race_leaves_one_chain_and_one_state() {
    let store = memory();
    let mut registries = Vec::new();
    for _ in 0..4 {
        registries.push(start(&store).await);
    }
    for round in 0..200_u64 {
        let registry = &registries[(round % 4) as usize];
        let breaker = registry.breaker("a").unwrap();
        match round % 7 {
            0 => breaker.reset(),
            3 => tokio::time::sleep(secs(61)).await,
            _ => {
                for _ in 0..2 {
                    if let Ok(permit) = breaker.try_acquire() {
                        permit.record(tower_breaker::Outcome::failure_if(round % 5 < 3));
                    }
                }
            }
        }
        tokio::task::yield_now().await;
    }
    let agreed = || {
        let states: Vec<_> =
            registries.iter().map(|registry| registry.breaker("a").unwrap().state()).collect();
        states.windows(2).all(|pair| pair[0] == pair[1])
            && registries[0].stored("a").is_some_and(|stored| stored.state == states[0])
    };
    eventually("one state everywhere", agreed).await;
    for registry in &registries {
        let report = registry.shutdown(secs(5)).await;
        assert_eq!(report.uncommitted, 0);
    }
    let events = history(&registries[0], "a").await;
    assert!(events.len() > 20, "{} changes", events.len());
    let mut events = events;
    events.sort_by_key(|event| event.version);
    let counters: Vec<_> = events.iter().map(|event| event.version.unwrap().counter).collect();
    let chain: Vec<_> = (1..=counters.len() as u64).collect();
    assert_eq!(counters, chain);
    for pair in events.windows(2) {
        assert_eq!(pair[0].to, pair[1].from, "{pair:?}");
    }
}

/// A process that has seen the service work meets an opening from before its time.
#[tokio::test(start_paused = true)]
async fn a_circuit_that_is_proven_closes_an_opening_whose_time_is_over() {
    let store = memory();
    let before = start(&store).await;
    fail(&before.breaker("a").unwrap(), 2);
    before.shutdown(secs(5)).await;
    tokio::time::sleep(secs(120)).await;

    let faults = Faults::new();
    let faulty = Arc::new(FaultyStore::new(MemoryStore::clone(&store), &faults));
    faults.set_all(Fault::error());
    let after = start(&faulty).await;
    let here = after.breaker("a").unwrap();
    succeed(&here, 200);
    faults.clear_all();
    stored(&after, "a", State::Closed).await;
    assert_eq!(here.state(), State::Closed);
    let Some(Stored::Record(record)) = store.load(here.service()).await.unwrap() else { panic!() };
    assert_eq!(record.state.state, State::Closed);
}
