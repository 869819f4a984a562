//! A store in memory with one defect.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tower_breaker::{
    ServiceName,
    breaker::clock::{Clock, TokioClock},
    store::{
        AlertQuery, AlertRecord, ChangeHint, CircuitRecord, Committed, Cursor, EventQuery,
        EventRecord, Expected, FleetStore, HistoryStore, InstanceRow, Loaded, MemoryStore,
        MetricBucket, MetricQuery, NamedLease, Page, PatternQuery, PatternRecord, Prune, RunId,
        Silence, StateStore, StoreError, Stored, Timestamp, conformance::Subject,
    },
};

pub(crate) type Answer<T> = Result<T, StoreError>;

/// What is done otherwise than a store in memory does it. Each handle has one of its own.
#[async_trait]
pub(crate) trait Defect: Debug + Default + Send + Sync + 'static {
    async fn load(&self, store: &MemoryStore, service: &ServiceName) -> Answer<Option<Stored>> {
        store.load(service).await
    }

    async fn load_all(&self, store: &MemoryStore, since: Option<Cursor>) -> Answer<Loaded> {
        store.load_all(since).await
    }

    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        store.compare_and_swap(expected, next, event).await
    }

    async fn remove(
        &self,
        store: &MemoryStore,
        service: &ServiceName,
        expected: Expected,
    ) -> Answer<()> {
        store.remove(service, expected).await
    }

    fn watch(&self, store: &MemoryStore) -> BoxStream<'static, ChangeHint> {
        store.watch()
    }

    async fn append(&self, store: &MemoryStore, events: &[EventRecord]) -> Answer<u64> {
        store.append(events).await
    }

    async fn events(&self, store: &MemoryStore, query: &EventQuery) -> Answer<Page<EventRecord>> {
        store.events(query).await
    }

    async fn upsert_metrics(&self, store: &MemoryStore, buckets: &[MetricBucket]) -> Answer<()> {
        store.upsert_metrics(buckets).await
    }

    async fn raise_alert(&self, store: &MemoryStore, alert: &AlertRecord) -> Answer<AlertRecord> {
        store.raise_alert(alert).await
    }

    async fn prune(
        &self,
        store: &MemoryStore,
        what: Prune,
        before: Timestamp,
        at_most: u32,
    ) -> Answer<u64> {
        store.prune(what, before, at_most).await
    }

    async fn lease(
        &self,
        store: &MemoryStore,
        name: &str,
        owner: RunId,
        term: Duration,
    ) -> Answer<Option<NamedLease>> {
        store.lease(name, owner, term).await
    }

    async fn renew(&self, store: &MemoryStore, lease: &NamedLease) -> Answer<bool> {
        store.renew(lease).await
    }

    async fn instances(&self, store: &MemoryStore, age: Duration) -> Answer<Vec<InstanceRow>> {
        store.instances(age).await
    }
}

/// A handle to a store with a defect.
#[derive(Debug)]
pub(crate) struct Broken<D> {
    store: MemoryStore,
    defect: D,
}

/// Makes stores with a defect, on tokio's clock.
#[derive(Debug)]
pub(crate) struct BrokenSubject<D>(pub(crate) std::marker::PhantomData<D>);

#[async_trait]
impl<D: Defect> Subject for BrokenSubject<D> {
    type Store = Broken<D>;

    async fn fresh(&self) -> Broken<D> {
        let clock = TokioClock::new();
        let store = MemoryStore::builder().clock(move || clock.wall()).build();
        Broken { store, defect: D::default() }
    }

    async fn connect_again(&self, store: &Broken<D>) -> Option<Broken<D>> {
        Some(Broken { store: store.store.clone(), defect: D::default() })
    }
}

#[async_trait]
impl<D: Defect> StateStore for Broken<D> {
    async fn load(&self, service: &ServiceName) -> Answer<Option<Stored>> {
        self.defect.load(&self.store, service).await
    }

    async fn load_all(&self, since: Option<Cursor>) -> Answer<Loaded> {
        self.defect.load_all(&self.store, since).await
    }

    async fn compare_and_swap(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        self.defect.compare_and_swap(&self.store, expected, next, event).await
    }

    async fn remove(&self, service: &ServiceName, expected: Expected) -> Answer<()> {
        self.defect.remove(&self.store, service, expected).await
    }

    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Answer<u64> {
        self.store.forget_tombstones(age, at_most).await
    }

    fn watch(&self) -> BoxStream<'static, ChangeHint> {
        self.defect.watch(&self.store)
    }
}

#[async_trait]
impl<D: Defect> HistoryStore for Broken<D> {
    async fn append(&self, events: &[EventRecord]) -> Answer<u64> {
        self.defect.append(&self.store, events).await
    }

    async fn events(&self, query: &EventQuery) -> Answer<Page<EventRecord>> {
        self.defect.events(&self.store, query).await
    }

    async fn upsert_metrics(&self, buckets: &[MetricBucket]) -> Answer<()> {
        self.defect.upsert_metrics(&self.store, buckets).await
    }

    async fn metrics(&self, query: &MetricQuery) -> Answer<Page<MetricBucket>> {
        self.store.metrics(query).await
    }

    async fn upsert_pattern(&self, pattern: &PatternRecord) -> Answer<()> {
        self.store.upsert_pattern(pattern).await
    }

    async fn patterns(&self, query: &PatternQuery) -> Answer<Vec<PatternRecord>> {
        self.store.patterns(query).await
    }

    async fn raise_alert(&self, alert: &AlertRecord) -> Answer<AlertRecord> {
        self.defect.raise_alert(&self.store, alert).await
    }

    async fn resolve_alert(&self, key: &str, at: Timestamp) -> Answer<bool> {
        self.store.resolve_alert(key, at).await
    }

    async fn acknowledge_alert(&self, key: &str, by: &str, at: Timestamp) -> Answer<bool> {
        self.store.acknowledge_alert(key, by, at).await
    }

    async fn alerts(&self, query: &AlertQuery) -> Answer<Vec<AlertRecord>> {
        self.store.alerts(query).await
    }

    async fn put_silence(&self, silence: &Silence) -> Answer<()> {
        self.store.put_silence(silence).await
    }

    async fn silences(&self, now: Timestamp) -> Answer<Vec<Silence>> {
        self.store.silences(now).await
    }

    async fn prune(&self, what: Prune, before: Timestamp, at_most: u32) -> Answer<u64> {
        self.defect.prune(&self.store, what, before, at_most).await
    }
}

#[async_trait]
impl<D: Defect> FleetStore for Broken<D> {
    async fn lease(&self, name: &str, owner: RunId, term: Duration) -> Answer<Option<NamedLease>> {
        self.defect.lease(&self.store, name, owner, term).await
    }

    async fn renew(&self, lease: &NamedLease) -> Answer<bool> {
        self.defect.renew(&self.store, lease).await
    }

    async fn release(&self, lease: &NamedLease) -> Answer<bool> {
        self.store.release(lease).await
    }

    async fn publish(&self, row: &InstanceRow) -> Answer<()> {
        self.store.publish(row).await
    }

    async fn instances(&self, age: Duration) -> Answer<Vec<InstanceRow>> {
        self.defect.instances(&self.store, age).await
    }

    async fn retire(&self, run: RunId) -> Answer<()> {
        self.store.retire(run).await
    }

    async fn forget_instances(&self, age: Duration, at_most: u32) -> Answer<u64> {
        self.store.forget_instances(age, at_most).await
    }
}
