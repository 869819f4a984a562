//! The history in a store that fails.

#![deny(clippy::missing_trait_methods)]

use async_trait::async_trait;

use super::{operation::Operation, store::FaultyStore};
use crate::store::{
    AlertQuery, AlertRecord, EventQuery, EventRecord, HistoryStore, MetricBucket, MetricQuery,
    Page, PatternQuery, PatternRecord, Prune, Silence, StoreError, Timestamp,
};

#[async_trait]
impl<S: HistoryStore> HistoryStore for FaultyStore<S> {
    async fn append(&self, events: &[EventRecord]) -> Result<u64, StoreError> {
        self.call(Operation::Append, self.inner.append(events)).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Page<EventRecord>, StoreError> {
        self.call(Operation::Events, self.inner.events(query)).await
    }

    async fn upsert_metrics(&self, buckets: &[MetricBucket]) -> Result<(), StoreError> {
        self.call(Operation::UpsertMetrics, self.inner.upsert_metrics(buckets)).await
    }

    async fn metrics(&self, query: &MetricQuery) -> Result<Page<MetricBucket>, StoreError> {
        self.call(Operation::Metrics, self.inner.metrics(query)).await
    }

    async fn upsert_pattern(&self, pattern: &PatternRecord) -> Result<(), StoreError> {
        self.call(Operation::UpsertPattern, self.inner.upsert_pattern(pattern)).await
    }

    async fn patterns(&self, query: &PatternQuery) -> Result<Vec<PatternRecord>, StoreError> {
        self.call(Operation::Patterns, self.inner.patterns(query)).await
    }

    async fn raise_alert(&self, alert: &AlertRecord) -> Result<AlertRecord, StoreError> {
        self.call(Operation::RaiseAlert, self.inner.raise_alert(alert)).await
    }

    async fn resolve_alert(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        self.call(Operation::ResolveAlert, self.inner.resolve_alert(key, at)).await
    }

    async fn acknowledge_alert(
        &self,
        key: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.call(Operation::AcknowledgeAlert, self.inner.acknowledge_alert(key, by, at)).await
    }

    async fn alerts(&self, query: &AlertQuery) -> Result<Vec<AlertRecord>, StoreError> {
        self.call(Operation::Alerts, self.inner.alerts(query)).await
    }

    async fn put_silence(&self, silence: &Silence) -> Result<(), StoreError> {
        self.call(Operation::PutSilence, self.inner.put_silence(silence)).await
    }

    async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        self.call(Operation::Silences, self.inner.silences(now)).await
    }

    async fn prune(&self, what: Prune, before: Timestamp, at_most: u32) -> Result<u64, StoreError> {
        self.call(Operation::Prune, self.inner.prune(what, before, at_most)).await
    }
}
