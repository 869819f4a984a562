//! A faulty store fails as it is told to, and is whole otherwise.
#![cfg(feature = "test-util")]

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::timeout;
use tower_breaker::{
    ServiceName,
    circuit::Version,
    store::{
        ChangeHint, CircuitRecord, Expected, FleetStore, HistoryStore, Lane, MemoryStore, RunId,
        StateStore, StoreError, Timestamp,
        faulty::{Fault, Faults, FaultyStore, Operation},
    },
};

const LONG: Duration = Duration::from_secs(3600);

fn faulty() -> (FaultyStore<MemoryStore>, Faults) {
    let faults = Faults::with_seed(7);
    (FaultyStore::new(MemoryStore::new(), &faults), faults)
}

fn service() -> ServiceName {
    ServiceName::new("payments").unwrap()
}

async fn write(store: &FaultyStore<MemoryStore>, counter: u64) -> Result<(), StoreError> {
    let mut next = CircuitRecord::new(service());
    next.state.version = Version::new(0, counter);
    let found = store.inner().load(&service()).await?;
    let expected = Expected::found(Lane::State, found.as_ref());
    store.compare_and_swap(expected, &next, None).await.map(|_| ())
}

async fn version(store: &FaultyStore<MemoryStore>) -> Option<u64> {
    let found = store.inner().load(&service()).await.unwrap();
    found.map(|stored| stored.version(Lane::State).counter)
}

#[tokio::test(start_paused = true)]
async fn a_write_with_a_lost_acknowledgement_is_done_and_one_with_an_error_is_not() {
    let (store, faults) = faulty();
    faults.set(Operation::CompareAndSwap, Fault::error());
    assert!(write(&store, 1).await.unwrap_err().is_unavailable());
    assert_eq!(version(&store).await, None);
    faults.set(Operation::CompareAndSwap, Fault::lost_acknowledgement().times(1));
    assert!(write(&store, 1).await.unwrap_err().is_unavailable());
    assert_eq!(version(&store).await, Some(1));
    write(&store, 2).await.unwrap();
    assert_eq!(faults.calls(Operation::CompareAndSwap), 3);
    assert_eq!(faults.faulted(Operation::CompareAndSwap), 2);
    assert_eq!(faults.calls(Operation::Load), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_does_nothing_and_one_that_is_late_does_its_work() {
    let (store, faults) = faulty();
    faults.set_all(Fault::hang());
    assert!(timeout(LONG, write(&store, 1)).await.is_err());
    assert_eq!(version(&store).await, None);
    faults.set_all(Fault::delay(LONG));
    assert!(timeout(LONG / 2, write(&store, 1)).await.is_err());
    assert_eq!(version(&store).await, None);
    assert!(timeout(LONG * 2, write(&store, 1)).await.is_ok());
    assert_eq!(version(&store).await, Some(1));
    faults.clear_all();
    assert!(timeout(LONG / 2, write(&store, 2)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_drawn_at_random_is_the_same_for_one_seed() {
    let draws = async |seed| {
        let faults = Faults::with_seed(seed);
        let store = FaultyStore::new(MemoryStore::new(), &faults);
        faults.set(Operation::Load, Fault::error().with_probability(0.5));
        let mut failed = Vec::new();
        for _ in 0..64 {
            failed.push(store.load(&service()).await.is_err());
        }
        failed
    };
    let first = draws(1).await;
    assert_eq!(draws(1).await, first);
    assert_ne!(draws(2).await, first);
    let failed = first.iter().filter(|failed| **failed).count();
    assert!((16..48).contains(&failed), "{failed} of 64");
}

#[tokio::test(start_paused = true)]
async fn a_watcher_whose_hints_were_lost_is_told_once_they_are_not() {
    let (store, faults) = faulty();
    let mut watch = store.watch();
    assert_eq!(watch.next().await, Some(ChangeHint::Resync));
    faults.set(Operation::Watch, Fault::hang());
    write(&store, 1).await.unwrap();
    assert!(timeout(LONG, watch.next()).await.is_err());
    faults.clear(Operation::Watch);
    assert_eq!(timeout(LONG, watch.next()).await, Ok(Some(ChangeHint::Resync)));
    write(&store, 2).await.unwrap();
    assert_eq!(timeout(LONG, watch.next()).await, Ok(Some(ChangeHint::Changed(service()))));
}

#[tokio::test(start_paused = true)]
async fn history_and_fleet_fail_alike() {
    let (store, faults) = faulty();
    faults.set_all(Fault::error());
    let history: &dyn HistoryStore = &store;
    let fleet: &dyn FleetStore = &store;
    assert!(history.append(&[]).await.is_err());
    assert!(history.silences(Timestamp::EPOCH).await.is_err());
    assert!(fleet.lease("work", RunId::random(), LONG).await.is_err());
    faults.clear(Operation::Lease);
    assert!(fleet.lease("work", RunId::random(), LONG).await.unwrap().is_some());
    assert!(fleet.instances(LONG).await.is_err());
    for operation in [Operation::Append, Operation::Silences, Operation::Instances] {
        assert_eq!((faults.calls(operation), faults.faulted(operation)), (1, 1), "{operation:?}");
    }
    assert_eq!((faults.calls(Operation::Lease), faults.faulted(Operation::Lease)), (2, 1));
}
