//! Two stores in memory as tiers, whole and with faults under either of them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tower_breaker::{
    ServiceName,
    breaker::clock::{Clock, TokioClock},
    store::{
        AlertQuery, AlertRecord, ChangeHint, CircuitRecord, Committed, Cursor, EventQuery,
        EventRecord, Expected, HistoryStore, Loaded, MemoryStore, MetricBucket, MetricQuery, Page,
        PatternQuery, PatternRecord, Prune, Silence, StateStore, StoreError, Stored, TieredStore,
        Timestamp,
        conformance::{self, Report, Subject, connected},
        faulty::{Fault, Faults, FaultyStore, Operation},
    },
};

/// Tiers, with the history of the durable one: what a registry is given.
#[derive(Clone, Debug)]
struct WithHistory {
    tiered: TieredStore,
    cache: Arc<FaultyStore<MemoryStore>>,
    durable: Arc<FaultyStore<MemoryStore>>,
}

impl WithHistory {
    fn new(cache: &Faults, durable: &Faults) -> Self {
        let faulty = |faults: &Faults| {
            let clock = TokioClock::new();
            let store = MemoryStore::builder().clock(move || clock.wall()).build();
            Arc::new(FaultyStore::new(store, faults))
        };
        Self::over(faulty(cache), faulty(durable))
    }

    fn over(cache: Arc<FaultyStore<MemoryStore>>, durable: Arc<FaultyStore<MemoryStore>>) -> Self {
        let tiered = TieredStore::builder(cache.clone(), durable.clone())
            .cache_deadline(Duration::from_millis(20))
            .durable_deadline(Duration::from_millis(20))
            .build();
        Self { tiered, cache, durable }
    }

    /// Another process.
    fn again(&self) -> Self {
        Self::over(self.cache.clone(), self.durable.clone())
    }
}

#[async_trait]
impl StateStore for WithHistory {
    async fn load(&self, service: &ServiceName) -> Result<Option<Stored>, StoreError> {
        self.tiered.load(service).await
    }

    async fn load_all(&self, since: Option<Cursor>) -> Result<Loaded, StoreError> {
        self.tiered.load_all(since).await
    }

    async fn compare_and_swap(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Committed, StoreError> {
        self.tiered.compare_and_swap(expected, next, event).await
    }

    async fn remove(&self, service: &ServiceName, expected: Expected) -> Result<(), StoreError> {
        self.tiered.remove(service, expected).await
    }

    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        self.tiered.forget_tombstones(age, at_most).await
    }

    fn watch(&self) -> BoxStream<'static, ChangeHint> {
        self.tiered.watch()
    }
}

#[async_trait]
impl HistoryStore for WithHistory {
    async fn append(&self, events: &[EventRecord]) -> Result<u64, StoreError> {
        self.durable.inner().append(events).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Page<EventRecord>, StoreError> {
        self.durable.inner().events(query).await
    }

    async fn upsert_metrics(&self, buckets: &[MetricBucket]) -> Result<(), StoreError> {
        self.durable.inner().upsert_metrics(buckets).await
    }

    async fn metrics(&self, query: &MetricQuery) -> Result<Page<MetricBucket>, StoreError> {
        self.durable.inner().metrics(query).await
    }

    async fn upsert_pattern(&self, pattern: &PatternRecord) -> Result<(), StoreError> {
        self.durable.inner().upsert_pattern(pattern).await
    }

    async fn patterns(&self, query: &PatternQuery) -> Result<Vec<PatternRecord>, StoreError> {
        self.durable.inner().patterns(query).await
    }

    async fn raise_alert(&self, alert: &AlertRecord) -> Result<AlertRecord, StoreError> {
        self.durable.inner().raise_alert(alert).await
    }

    async fn resolve_alert(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        self.durable.inner().resolve_alert(key, at).await
    }

    async fn acknowledge_alert(
        &self,
        key: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.durable.inner().acknowledge_alert(key, by, at).await
    }

    async fn alerts(&self, query: &AlertQuery) -> Result<Vec<AlertRecord>, StoreError> {
        self.durable.inner().alerts(query).await
    }

    async fn put_silence(&self, silence: &Silence) -> Result<(), StoreError> {
        self.durable.inner().put_silence(silence).await
    }

    async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        self.durable.inner().silences(now).await
    }

    async fn prune(&self, what: Prune, before: Timestamp, at_most: u32) -> Result<u64, StoreError> {
        self.durable.inner().prune(what, before, at_most).await
    }
}

/// Two handles to the same tiers, as two processes have them; faults from a plan.
fn subject(plan: fn(&Faults, &Faults)) -> impl Subject<Store = WithHistory> {
    connected(
        move || async move {
            let (cache, durable) = (Faults::with_seed(1), Faults::with_seed(2));
            plan(&cache, &durable);
            WithHistory::new(&cache, &durable)
        },
        |store: &WithHistory| std::future::ready(store.again()),
    )
}

/// The suite of where processes meet, with one handle: a lease is the handle's that took it.
async fn fleet(plan: fn(&Faults, &Faults)) -> Report {
    conformance::fleet_store(move || async move {
        let (cache, durable) = (Faults::with_seed(1), Faults::with_seed(2));
        plan(&cache, &durable);
        WithHistory::new(&cache, &durable).tiered
    })
    .await
}

/// Both suites, but for the checks that cannot hold.
async fn passes(plan: fn(&Faults, &Faults), but: &[&str]) {
    let report = conformance::state_and_history(subject(plan)).await;
    println!("{report}");
    assert_eq!(report.failed(), but, "{report}");
    let report = fleet(plan).await;
    println!("{report}");
    report.assert();
}

/// No tombstone is forgotten while a tier is down.
const WITHOUT_CACHE: &[&str] = &["tombstones_are_forgotten_by_age_and_number"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tiers() {
    passes(|_, _| {}, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn tiers_without_a_cache() {
    passes(|cache, _| cache.set_all(Fault::error()), WITHOUT_CACHE).await;
}

#[tokio::test(start_paused = true)]
async fn tiers_with_a_cache_that_hangs() {
    passes(|cache, _| cache.set_all(Fault::hang()), WITHOUT_CACHE).await;
}

#[tokio::test(start_paused = true)]
async fn tiers_with_a_cache_that_is_slow() {
    passes(|cache, _| cache.set_all(Fault::delay(Duration::from_millis(3))), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn tiers_with_a_durable_store_that_is_slow() {
    passes(|_, durable| durable.set_all(Fault::delay(Duration::from_millis(3))), &[]).await;
}

/// The suite of states cannot be run: each version that is committed is of a new epoch, and not the
/// one that was written. `tests/tiered` has what holds then.
#[tokio::test(start_paused = true)]
async fn a_fleet_without_a_durable_store() {
    for plan in [
        (|_, durable: &Faults| durable.set_all(Fault::error())) as fn(&Faults, &Faults),
        |_, durable| durable.set_all(Fault::hang()),
    ] {
        fleet(plan).await.assert();
    }
}

/// Acknowledgements of the cache that are lost now and then: the durable store decides alone those
/// times.
#[tokio::test(start_paused = true)]
async fn tiers_whose_cache_loses_acknowledgements() {
    let plan = |cache: &Faults, _: &Faults| {
        let lost = Fault::lost_acknowledgement().with_probability(0.1);
        cache.set(Operation::CompareAndSwap, lost);
        cache.set(Operation::Remove, lost);
    };
    let report = conformance::state_and_history(subject(plan)).await;
    report.assert();
}
