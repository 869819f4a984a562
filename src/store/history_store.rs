//! Where the history is kept.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{
    error::StoreError,
    event::EventRecord,
    findings::{AlertRecord, PatternRecord, Silence},
    ids::Timestamp,
    metrics::MetricBucket,
    query::{AlertQuery, EventQuery, MetricQuery, Page, PatternQuery, Prune},
};

/// Where events, metrics, patterns and alerts are kept.
///
/// Every method may be dropped at any await; writes are then done or not. All writes may be repeated
/// without harm, since a caller that had no answer writes again; an alert that is raised again counts
/// once more.
///
/// Every method fails with [`StoreError::Unavailable`] where the store cannot be asked, and writes
/// with [`StoreError::Invalid`] where a field is out of its bounds; queries with
/// [`StoreError::Corrupt`] where a row cannot be read.
#[async_trait]
pub trait HistoryStore: Debug + Send + Sync + 'static {
    /// Adds events, all or none of them; those that it has already, by their
    /// [`id`](EventRecord::id), it leaves as they are. Returns how many were new.
    async fn append(&self, events: &[EventRecord]) -> Result<u64, StoreError>;

    /// Finds events.
    async fn events(&self, query: &EventQuery) -> Result<Page<EventRecord>, StoreError>;

    /// Writes metric buckets, each in place of the one with the same key, all or none of them. Of two
    /// with one key the later one counts.
    async fn upsert_metrics(&self, buckets: &[MetricBucket]) -> Result<(), StoreError>;

    /// Finds metric buckets.
    async fn metrics(&self, query: &MetricQuery) -> Result<Page<MetricBucket>, StoreError>;

    /// Writes a finding in place of the one with the same key.
    async fn upsert_pattern(&self, pattern: &PatternRecord) -> Result<(), StoreError>;

    /// Finds patterns.
    async fn patterns(&self, query: &PatternQuery) -> Result<Vec<PatternRecord>, StoreError>;

    /// Raises an alert. Where the incident is known and has not ended, its count rises by that of
    /// this one, its last time moves on if this one is later, and the rest of it stays. Returns the
    /// incident as it is now.
    async fn raise_alert(&self, alert: &AlertRecord) -> Result<AlertRecord, StoreError>;

    /// Ends an incident. Returns whether there was one that had not ended.
    async fn resolve_alert(&self, key: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Notes who has taken note of an incident: of the one that has not ended, else of the last one
    /// that did. The first one who does is kept. Returns whether nobody had before.
    async fn acknowledge_alert(
        &self,
        key: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Finds alerts.
    async fn alerts(&self, query: &AlertQuery) -> Result<Vec<AlertRecord>, StoreError>;

    /// Writes a silence in place of the one with the same key. One that ends before it begins
    /// removes it.
    async fn put_silence(&self, silence: &Silence) -> Result<(), StoreError>;

    /// The silences that have not ended at `now`, those that have not begun among them.
    async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError>;

    /// Deletes up to `at_most` rows that are older than `before`, the oldest first. Returns how many.
    async fn prune(&self, what: Prune, before: Timestamp, at_most: u32) -> Result<u64, StoreError>;
}
