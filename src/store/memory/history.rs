//! The history in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    builder::MemoryStoreBuilder,
    findings::Findings,
    stats::MemoryStats,
    store::MemoryStore,
    timeline::{Timeline, Window},
};
use crate::store::{
    AlertQuery, AlertRecord, EventQuery, EventRecord, HistoryStore, MetricBucket, MetricQuery,
    Page, PatternQuery, PatternRecord, Prune, Resolution, Silence, StoreError, Timestamp,
};

/// Events, metrics and findings, within their bounds.
#[derive(Debug)]
pub(super) struct History {
    events: Timeline<EventRecord>,
    metrics: BTreeMap<Resolution, Timeline<MetricBucket>>,
    findings: Findings,
    max_events: usize,
    max_buckets: usize,
    dropped_events: u64,
    dropped_buckets: u64,
}

impl History {
    pub(super) fn new(builder: &MemoryStoreBuilder) -> Self {
        Self {
            events: Timeline::default(),
            metrics: BTreeMap::new(),
            findings: Findings::new(builder.max_findings),
            max_events: builder.max_events,
            max_buckets: builder.max_buckets,
            dropped_events: 0,
            dropped_buckets: 0,
        }
    }

    pub(super) fn stats(&self) -> MemoryStats {
        MemoryStats {
            circuits: 0,
            events: self.events.len(),
            buckets: self.metrics.values().map(Timeline::len).sum(),
            findings: self.findings.len(),
            dropped_events: self.dropped_events,
            dropped_buckets: self.dropped_buckets,
            dropped_findings: self.findings.dropped,
        }
    }

    /// Adds events that were checked. Returns how many were new.
    pub(super) fn append(&mut self, events: &[EventRecord]) -> u64 {
        let new = events.iter().filter(|event| self.events.insert(event)).count();
        self.dropped_events += self.events.trim(self.max_events);
        new as u64
    }

    fn events(&self, query: &EventQuery) -> Page<EventRecord> {
        let window = Window {
            range: query.range,
            newest_first: query.newest_first,
            page: query.page,
            limit: query.limit,
        };
        self.events.page(window, |event| {
            query.service.as_ref().is_none_or(|service| *service == event.service)
                && (query.kinds.is_empty() || query.kinds.contains(&event.kind))
        })
    }

    fn upsert_metrics(&mut self, buckets: &[MetricBucket]) {
        for bucket in buckets {
            let timeline = self.metrics.entry(bucket.resolution).or_default();
            timeline.put(bucket);
            self.dropped_buckets += timeline.trim(self.max_buckets);
        }
    }

    fn metrics(&self, query: &MetricQuery) -> Page<MetricBucket> {
        let window = Window {
            range: query.range,
            newest_first: false,
            page: query.page,
            limit: query.limit,
        };
        self.metrics.get(&query.resolution).map_or_else(
            || Page { items: Vec::new(), next: None },
            |timeline| {
                timeline.page(window, |bucket| {
                    query.service.as_ref().is_none_or(|service| *service == bucket.service)
                })
            },
        )
    }

    fn prune(&mut self, what: Prune, before: Timestamp, at_most: usize) -> u64 {
        match what {
            Prune::Events => self.events.prune(before, at_most),
            Prune::Metrics(resolution) => self
                .metrics
                .get_mut(&resolution)
                .map_or(0, |timeline| timeline.prune(before, at_most)),
            Prune::Patterns => self.findings.prune_patterns(before, at_most),
            Prune::Alerts => self.findings.prune_alerts(before, at_most),
        }
    }
}

#[async_trait]
impl HistoryStore for MemoryStore {
    async fn append(&self, events: &[EventRecord]) -> Result<u64, StoreError> {
        events.iter().try_for_each(EventRecord::check)?;
        Ok(self.shared.history().append(events))
    }

    async fn events(&self, query: &EventQuery) -> Result<Page<EventRecord>, StoreError> {
        Ok(self.shared.history().events(query))
    }

    async fn upsert_metrics(&self, buckets: &[MetricBucket]) -> Result<(), StoreError> {
        buckets.iter().try_for_each(MetricBucket::check)?;
        self.shared.history().upsert_metrics(buckets);
        Ok(())
    }

    async fn metrics(&self, query: &MetricQuery) -> Result<Page<MetricBucket>, StoreError> {
        Ok(self.shared.history().metrics(query))
    }

    async fn upsert_pattern(&self, pattern: &PatternRecord) -> Result<(), StoreError> {
        pattern.check()?;
        self.shared.history().findings.upsert_pattern(pattern);
        Ok(())
    }

    async fn patterns(&self, query: &PatternQuery) -> Result<Vec<PatternRecord>, StoreError> {
        Ok(self.shared.history().findings.patterns(query))
    }

    async fn raise_alert(&self, alert: &AlertRecord) -> Result<AlertRecord, StoreError> {
        alert.check()?;
        Ok(self.shared.history().findings.raise(alert))
    }

    async fn resolve_alert(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.shared.history().findings.resolve(key, at))
    }

    async fn acknowledge_alert(
        &self,
        key: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        AlertRecord::check_acknowledged_by(by)?;
        Ok(self.shared.history().findings.acknowledge(key, by, at))
    }

    async fn alerts(&self, query: &AlertQuery) -> Result<Vec<AlertRecord>, StoreError> {
        Ok(self.shared.history().findings.alerts(query))
    }

    async fn put_silence(&self, silence: &Silence) -> Result<(), StoreError> {
        silence.check()?;
        self.shared.history().findings.put_silence(silence);
        Ok(())
    }

    async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        Ok(self.shared.history().findings.silences(now))
    }

    async fn prune(&self, what: Prune, before: Timestamp, at_most: u32) -> Result<u64, StoreError> {
        Ok(self.shared.history().prune(what, before, at_most as usize))
    }
}
