//! Tiers in memory that fail when they are told to.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use tower_breaker::{
    ServiceName, State,
    breaker::clock::{Clock, TokioClock},
    circuit::{Override, Version},
    store::{
        ChangeHint, ChangeId, CircuitRecord, Committed, EventId, EventKind, EventQuery,
        EventRecord, Expected, HistoryStore, Lane, MemoryStore, RunId, StateStore, StoreError,
        Stored, TieredStore, Timestamp,
        faulty::{Fault, Faults, FaultyStore},
    },
};

pub(crate) type Faulty = FaultyStore<MemoryStore>;

/// The two tiers; processes come and go over them.
#[derive(Debug)]
pub(crate) struct Tiers {
    pub(crate) cache: Arc<Faulty>,
    pub(crate) durable: Arc<Faulty>,
    pub(crate) cache_faults: Faults,
    pub(crate) durable_faults: Faults,
}

fn memory() -> MemoryStore {
    let clock = TokioClock::new();
    MemoryStore::builder().clock(move || clock.wall()).build()
}

impl Tiers {
    pub(crate) fn new() -> Self {
        let (cache_faults, durable_faults) = (Faults::with_seed(1), Faults::with_seed(2));
        Self {
            cache: Arc::new(FaultyStore::new(memory(), &cache_faults)),
            durable: Arc::new(FaultyStore::new(memory(), &durable_faults)),
            cache_faults,
            durable_faults,
        }
    }

    /// A process.
    pub(crate) fn process(&self) -> TieredStore {
        TieredStore::new(Arc::clone(&self.cache), Arc::clone(&self.durable))
    }

    /// A process that reaches what it is told to, whatever the others reach.
    pub(crate) fn apart(&self) -> (TieredStore, Faults, Faults) {
        let (cache, durable) = (Faults::new(), Faults::new());
        let store = TieredStore::new(
            Arc::new(FaultyStore::new(self.cache.inner().clone(), &cache)),
            Arc::new(FaultyStore::new(self.durable.inner().clone(), &durable)),
        );
        (store, cache, durable)
    }

    /// Replaces the cache by an empty one.
    pub(crate) fn empty_cache(&mut self) {
        self.cache = Arc::new(FaultyStore::new(memory(), &self.cache_faults));
    }

    pub(crate) async fn events(&self) -> Vec<Version> {
        let page = self.durable.inner().events(&EventQuery::all()).await.unwrap();
        let mut versions: Vec<Version> =
            page.items.iter().filter_map(|event| event.version).collect();
        versions.sort();
        versions
    }
}

pub(crate) fn service() -> ServiceName {
    ServiceName::new("payments").unwrap()
}

/// Writes a lane over whatever a process finds.
pub(crate) async fn write(
    store: &TieredStore,
    lane: Lane,
    reason: &str,
) -> Result<Committed, StoreError> {
    let found = store.load(&service()).await?;
    let expected = Expected::found(lane, found.as_ref());
    let before = expected.version.unwrap_or_default();
    let version = Version::new(before.epoch, before.counter + 1);
    let mut next = CircuitRecord::new(service());
    match lane {
        Lane::State => {
            next.state.version = version;
            next.state.change_id = ChangeId::random();
            next.state.state = State::Open;
            next.state.reason = Some(reason.to_owned());
        }
        Lane::Override => {
            next.override_.version = version;
            next.override_.change_id = ChangeId::random();
            next.override_.value = Some(Override::ForcedOpen);
            next.override_.reason = Some(reason.to_owned());
        }
        Lane::Settings => unreachable!("not written here"),
    }
    let id = EventId { run: RunId::random(), sequence: 1 };
    let mut event = EventRecord::new(id, service(), Timestamp::EPOCH, EventKind::StateChange);
    event.version = Some(version);
    store.compare_and_swap(expected, &next, Some(&event)).await
}

pub(crate) async fn record(store: &impl StateStore) -> Option<CircuitRecord> {
    store.load(&service()).await.unwrap().and_then(Stored::record)
}

pub(crate) async fn state_reason(store: &impl StateStore) -> Option<String> {
    record(store).await?.state.reason
}

pub(crate) async fn override_reason(store: &impl StateStore) -> Option<String> {
    record(store).await?.override_.reason
}

/// Lets probes and what they begin come to their end.
pub(crate) async fn a_while() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

/// Has a process find out that a tier is down.
pub(crate) async fn notice(store: &TieredStore, faults: &Faults) {
    faults.set_all(Fault::error());
    for _ in 0..2 {
        let _ = store.load_all(None).await;
    }
}

/// What a watcher is told next, if it is told at once.
pub(crate) async fn told(
    hints: &mut (impl StreamExt<Item = ChangeHint> + Unpin),
) -> Option<ChangeHint> {
    tokio::time::timeout(Duration::from_millis(1), hints.next()).await.ok().flatten()
}
