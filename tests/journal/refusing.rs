//! A store that refuses some of what it is given, or panics.

use std::sync::Arc;

use async_trait::async_trait;
use tower_breaker::store::{
    AlertQuery, AlertRecord, EventQuery, EventRecord, HistoryStore, MemoryStore, MetricBucket,
    MetricQuery, Page, PatternQuery, PatternRecord, Prune, Silence, StoreError, Timestamp,
    faulty::Faults,
};

use crate::support::{World, fail, options};

/// Refuses all writes that have something of the service `bad` in them, and panics at the service
/// `panics` once.
#[derive(Debug)]
struct Picky {
    inner: MemoryStore,
    panicked: std::sync::atomic::AtomicBool,
}

impl Picky {
    fn check(&self, services: &mut dyn Iterator<Item = &str>) -> Result<(), StoreError> {
        for service in services {
            if service == "bad" {
                return Err(StoreError::invalid("service", "is bad"));
            }
            let panicked = &self.panicked;
            if service == "panics" && !panicked.swap(true, std::sync::atomic::Ordering::Relaxed) {
                panic!("a store that panics");
            }
        }
        Ok(())
    }
}

#[async_trait]
impl HistoryStore for Picky {
    async fn append(&self, events: &[EventRecord]) -> Result<u64, StoreError> {
        self.check(&mut events.iter().map(|event| &*event.service))?;
        self.inner.append(events).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Page<EventRecord>, StoreError> {
        self.inner.events(query).await
    }

    async fn upsert_metrics(&self, buckets: &[MetricBucket]) -> Result<(), StoreError> {
        self.check(&mut buckets.iter().map(|bucket| &*bucket.service))?;
        self.inner.upsert_metrics(buckets).await
    }

    async fn metrics(&self, query: &MetricQuery) -> Result<Page<MetricBucket>, StoreError> {
        self.inner.metrics(query).await
    }

    async fn upsert_pattern(&self, pattern: &PatternRecord) -> Result<(), StoreError> {
        self.inner.upsert_pattern(pattern).await
    }

    async fn patterns(&self, query: &PatternQuery) -> Result<Vec<PatternRecord>, StoreError> {
        self.inner.patterns(query).await
    }

    async fn raise_alert(&self, alert: &AlertRecord) -> Result<AlertRecord, StoreError> {
        self.inner.raise_alert(alert).await
    }

    async fn resolve_alert(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        self.inner.resolve_alert(key, at).await
    }

    async fn acknowledge_alert(
        &self,
        key: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.inner.acknowledge_alert(key, by, at).await
    }

    async fn alerts(&self, query: &AlertQuery) -> Result<Vec<AlertRecord>, StoreError> {
        self.inner.alerts(query).await
    }

    async fn put_silence(&self, silence: &Silence) -> Result<(), StoreError> {
        self.inner.put_silence(silence).await
    }

    async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        self.inner.silences(now).await
    }

    async fn prune(&self, what: Prune, before: Timestamp, at_most: u32) -> Result<u64, StoreError> {
        self.inner.prune(what, before, at_most).await
    }
}

fn world() -> World {
    let inner = MemoryStore::new();
    let picky = Picky { inner: inner.clone(), panicked: false.into() };
    World::writing_to(Arc::new(picky), inner, Faults::new(), options())
}

#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_is_left_out_alone() {
    let world = world();
    let (good, bad) = (world.breaker("good"), world.breaker("bad"));
    for n in 0..100 {
        fail(&good, 5);
        if n % 30 == 7 {
            fail(&bad, 1);
        }
    }
    world.flush().await;
    let events = world.events().await;
    assert_eq!(events.len(), 500);
    assert!(events.iter().all(|event| &*event.service == "good"));
    let stats = world.journal.stats();
    assert_eq!(stats.written, 500);
    // Four events, and the three buckets that hold them.
    assert_eq!(stats.rejected_by_store, 4 + 3);
    assert_eq!((stats.retries, stats.dropped, stats.waiting), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_is_tried_again() {
    let world = world();
    fail(&world.breaker("panics"), 5);
    world.flush().await;
    assert_eq!(world.events().await.len(), 5);
    assert_eq!(world.journal.stats().retries, 1);
}
