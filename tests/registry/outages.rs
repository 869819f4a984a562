//! A store that is down, slow or empty.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tower_breaker::{
    Registry, ServiceName, State,
    breaker::{Clock, clock::TokioClock},
    registry::StoreHealth,
    store::{
        ChangeHint, CircuitRecord, Committed, Cursor, EventRecord, Expected, Loaded, MemoryStore,
        StateStore, StoreError, Stored,
        faulty::{Fault, Faults, FaultyStore, Operation},
    },
};

use crate::support::{builder, eventually, fail, history, memory, secs, settings, start, stored};

fn faulty() -> (Arc<FaultyStore<MemoryStore>>, Faults) {
    let faults = Faults::new();
    (Arc::new(FaultyStore::new(MemoryStore::clone(&memory()), &faults)), faults)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_at_the_start_is_caught_up_with() {
    let (store, faults) = faulty();
    faults.set_all(Fault::error());
    let registry = start(&store).await;
    let payments = registry.breaker("payments").unwrap();
    fail(&payments, 2);
    assert_eq!(payments.state(), State::Open);
    eventually("an outage is seen", || {
        matches!(registry.stats().store, StoreHealth::Unavailable { .. })
    })
    .await;
    tokio::time::sleep(secs(10)).await;
    faults.clear_all();
    stored(&registry, "payments", State::Open).await;
    assert_eq!(registry.stats().store, StoreHealth::Available);
    // It has been open for as long as it has been open here.
    let left = registry.stored("payments").unwrap().remaining.unwrap();
    assert!(left < secs(50), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_up_nobody() {
    let (store, faults) = faulty();
    faults.set_all(Fault::hang());
    let clock = TokioClock::new();
    let begun = clock.now();
    let registry = builder(&store).load_timeout(secs(1)).start().await.unwrap();
    assert_eq!(clock.now().since(begun), secs(1));
    let payments = registry.breaker("payments").unwrap();
    fail(&payments, 2);
    assert_eq!(payments.state(), State::Open);
    let report = registry.shutdown(secs(3)).await;
    assert_eq!(report.uncommitted, 1);
    assert!(clock.now().since(begun) < secs(10));
}

/// The write was done and the answer was lost: it must not be done twice, nor be taken for another
/// process's.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_recognised() {
    let (store, faults) = faulty();
    let registry = start(&store).await;
    faults.set(Operation::CompareAndSwap, Fault::lost_acknowledgement());
    fail(&registry.breaker("payments").unwrap(), 2);
    tokio::time::sleep(secs(2)).await;
    faults.clear_all();
    stored(&registry, "payments", State::Open).await;
    registry.shutdown(secs(5)).await;
    let events = history(&registry, "payments").await;
    assert_eq!(events.len(), 1);
    assert_eq!(registry.stored("payments").unwrap().version.counter, 1);
}

/// The event of the second write had the id of the first one, and was left out as known.
#[tokio::test(start_paused = true)]
async fn a_reset_whose_answer_was_lost_is_not_done_twice() {
    let (store, faults) = faulty();
    let registry = start(&store).await;
    let payments = registry.breaker("payments").unwrap();
    fail(&payments, 2);
    stored(&registry, "payments", State::Open).await;
    faults.set(Operation::CompareAndSwap, Fault::lost_acknowledgement().times(1));
    payments.reset();
    stored(&registry, "payments", State::Closed).await;
    registry.shutdown(secs(5)).await;
    let events = history(&registry, "payments").await;
    let versions: Vec<_> = events.iter().map(|event| event.version.unwrap().counter).collect();
    assert_eq!(versions, [1, 2]);
    assert_eq!(registry.stored("payments").unwrap().version.counter, 2);
}

/// Nobody can tell any more whether the write was taken: its ids must not be used for another one.
#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_and_that_was_overtaken_leaves_no_gap() {
    for (fault, versions) in
        [(Fault::lost_acknowledgement(), vec![1, 2, 3, 4]), (Fault::error(), vec![1, 2, 3])]
    {
        let memory = memory();
        let faults = Faults::new();
        let faulty = Arc::new(FaultyStore::new(MemoryStore::clone(&memory), &faults));
        let (one, two) = (start(&faulty).await, start(&memory).await);
        let (here, there) = (one.breaker("a").unwrap(), two.breaker("a").unwrap());
        faults.set(Operation::CompareAndSwap, fault.times(1));
        // Nothing is read until the other one has written.
        for operation in [Operation::Load, Operation::LoadAll, Operation::Watch] {
            faults.set(operation, Fault::error());
        }
        here.reset();
        eventually("an outage is seen", || {
            matches!(one.stats().store, StoreHealth::Unavailable { .. })
        })
        .await;
        fail(&there, 2);
        stored(&two, "a", State::Open).await;
        there.reset();
        stored(&two, "a", State::Closed).await;
        faults.clear_all();
        eventually("it is reconciled", || one.stats().uncommitted == 0).await;
        one.shutdown(secs(5)).await;
        two.shutdown(secs(5)).await;
        let events = history(&two, "a").await;
        let mut found: Vec<_> = events.iter().map(|event| event.version.unwrap().counter).collect();
        found.sort_unstable();
        assert_eq!(found, versions, "{fault:?}");
        assert_eq!(one.stored("a").unwrap().version.counter, versions.len() as u64);
    }
}

/// A store that loses all it has when it is told to.
#[derive(Debug)]
struct Volatile(Mutex<MemoryStore>);

impl Volatile {
    fn now(&self) -> MemoryStore {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lose_all(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = MemoryStore::clone(&memory());
    }
}

#[async_trait]
impl StateStore for Volatile {
    async fn load(&self, service: &ServiceName) -> Result<Option<Stored>, StoreError> {
        self.now().load(service).await
    }

    async fn load_all(&self, since: Option<Cursor>) -> Result<Loaded, StoreError> {
        self.now().load_all(since).await
    }

    async fn compare_and_swap(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Committed, StoreError> {
        self.now().compare_and_swap(expected, next, event).await
    }

    async fn remove(&self, service: &ServiceName, expected: Expected) -> Result<(), StoreError> {
        self.now().remove(service, expected).await
    }

    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        self.now().forget_tombstones(age, at_most).await
    }

    fn watch(&self) -> BoxStream<'static, ChangeHint> {
        self.now().watch()
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lost_its_records_is_given_them_back() {
    let store = Arc::new(Volatile(Mutex::new(MemoryStore::clone(&memory()))));
    let registry = Registry::builder()
        .store(store.clone())
        .defaults(settings().recovery_timeout(secs(3600)).build().unwrap())
        .start()
        .await
        .unwrap();
    let payments = registry.breaker("payments").unwrap();
    fail(&payments, 2);
    stored(&registry, "payments", State::Open).await;
    store.lose_all();
    // The next write meets that the record is gone.
    registry.breaker("inventory").unwrap().force_open();
    payments.reset();
    fail(&payments, 2);
    eventually("the record is back", || {
        registry.stored("payments").is_some_and(|stored| stored.version.counter > 1)
    })
    .await;
    stored(&registry, "payments", State::Open).await;
    let loaded = store.load_all(None).await.unwrap().stored;
    assert_eq!(loaded.len(), 2);
}

/// Of many changes while the store is down, the last one counts.
#[tokio::test(start_paused = true)]
async fn a_long_outage_keeps_a_bounded_number_of_changes() {
    let (store, faults) = faulty();
    let registry = start(&store).await;
    let payments = registry.breaker("payments").unwrap();
    faults.set_all(Fault::error());
    for _ in 0..100 {
        fail(&payments, 2);
        payments.reset();
    }
    fail(&payments, 2);
    tokio::time::sleep(secs(30)).await;
    faults.clear_all();
    stored(&registry, "payments", State::Open).await;
    assert!(registry.stats().coordinator.coalesced > 100, "{:?}", registry.stats());
}
