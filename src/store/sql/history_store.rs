//! The history.

use async_trait::async_trait;
use sea_orm::DbBackend;

use super::{
    events, findings, metrics,
    options::unsupported,
    prune,
    statement::{Dialect as _, Sql},
    store::SqlStore,
    urgency::Urgency,
};
use crate::store::{
    AlertQuery, AlertRecord, EventQuery, EventRecord, HistoryStore, MAX_PAGE, MetricBucket,
    MetricQuery, Page, PageToken, PatternQuery, PatternRecord, Prune, Silence, StoreError,
    Timestamp,
};

#[async_trait]
impl HistoryStore for SqlStore {
    async fn append(&self, events: &[EventRecord]) -> Result<u64, StoreError> {
        events.iter().try_for_each(EventRecord::check)?;
        if events.is_empty() {
            return Ok(0);
        }
        match self.db.backend {
            #[cfg(feature = "sqlite")]
            DbBackend::Sqlite => self.append_together(events).await,
            #[cfg(feature = "postgres")]
            DbBackend::Postgres => self.append_columns(events).await,
            other => Err(unsupported(other)),
        }
    }

    async fn events(&self, query: &EventQuery) -> Result<Page<EventRecord>, StoreError> {
        let limit = bounded(query.limit);
        let rows = self.db.read("events", events::select(query, limit)).await?;
        page(rows.iter().map(events::event), limit)
    }

    async fn upsert_metrics(&self, buckets: &[MetricBucket]) -> Result<(), StoreError> {
        buckets.iter().try_for_each(MetricBucket::check)?;
        if buckets.is_empty() {
            return Ok(());
        }
        match self.db.backend {
            #[cfg(feature = "sqlite")]
            DbBackend::Sqlite => self.upsert_together(buckets).await,
            #[cfg(feature = "postgres")]
            DbBackend::Postgres => self.upsert_columns(buckets).await,
            other => Err(unsupported(other)),
        }
    }

    async fn metrics(&self, query: &MetricQuery) -> Result<Page<MetricBucket>, StoreError> {
        let limit = bounded(query.limit);
        let rows = self.db.read("metrics", metrics::select(query, limit)).await?;
        page(rows.iter().map(|row| metrics::bucket(row, query.resolution)), limit)
    }

    async fn upsert_pattern(&self, pattern: &PatternRecord) -> Result<(), StoreError> {
        pattern.check()?;
        let upsert = findings::upsert_pattern(pattern);
        self.db.execute("upsert_pattern", Urgency::Batch, upsert).await?;
        Ok(())
    }

    async fn patterns(&self, query: &PatternQuery) -> Result<Vec<PatternRecord>, StoreError> {
        let select = findings::select_patterns(query, bounded(query.limit));
        self.db.read("patterns", select).await?.iter().map(findings::pattern).collect()
    }

    async fn raise_alert(&self, alert: &AlertRecord) -> Result<AlertRecord, StoreError> {
        alert.check()?;
        let greatest = self.db.backend.greatest();
        // One that has ended already is none of those that there is at most one of.
        if alert.resolved_at.is_some() {
            let known = self.db.write("raise_alert", findings::count(alert, greatest)).await?;
            if let Some(row) = known.first() {
                return findings::alert(row);
            }
        }
        let raise = findings::raise(alert, greatest);
        let rows = self.db.write("raise_alert", raise).await?;
        match rows.first() {
            Some(row) => findings::alert(row),
            None => Err(StoreError::corrupt(findings::ALERTS, &*alert.key, "was not written")),
        }
    }

    async fn resolve_alert(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        let resolve = findings::resolve(key, at.as_micros());
        Ok(self.db.execute("resolve_alert", Urgency::Batch, resolve).await? > 0)
    }

    async fn acknowledge_alert(
        &self,
        key: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        AlertRecord::check_acknowledged_by(by)?;
        let acknowledge = findings::acknowledge(key, by, at.as_micros());
        Ok(self.db.execute("acknowledge_alert", Urgency::Batch, acknowledge).await? > 0)
    }

    async fn alerts(&self, query: &AlertQuery) -> Result<Vec<AlertRecord>, StoreError> {
        let select = findings::select_alerts(query, bounded(query.limit));
        self.db.read("alerts", select).await?.iter().map(findings::alert).collect()
    }

    async fn put_silence(&self, silence: &Silence) -> Result<(), StoreError> {
        silence.check()?;
        let put = if silence.until < silence.from {
            findings::remove_silence(&silence.key)
        } else {
            findings::put_silence(silence)
        };
        self.db.execute("put_silence", Urgency::Batch, put).await?;
        Ok(())
    }

    async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        let select = findings::select_silences(now.as_micros());
        self.db.read("silences", select).await?.iter().map(findings::silence).collect()
    }

    async fn prune(&self, what: Prune, before: Timestamp, at_most: u32) -> Result<u64, StoreError> {
        match what {
            Prune::Events => {
                self.prune_from(events::TABLE, "created_at", "", before, at_most).await
            }
            Prune::Metrics(resolution) => {
                let of = format!(" AND resolution_seconds = {}", resolution.seconds());
                self.prune_from(metrics::TABLE, "bucket_start", &of, before, at_most).await
            }
            Prune::Patterns => {
                self.prune_from(findings::PATTERNS, "last_seen_at", "", before, at_most).await
            }
            Prune::Alerts => {
                let alerts =
                    self.prune_from(findings::ALERTS, "resolved_at", "", before, at_most).await?;
                let left = u32::try_from(alerts).map_or(0, |alerts| at_most.saturating_sub(alerts));
                let silences =
                    self.prune_from(findings::SILENCES, "silent_until", "", before, left).await?;
                Ok(alerts + silences)
            }
        }
    }
}

impl SqlStore {
    async fn prune_from(
        &self,
        table: &str,
        column: &str,
        also: &str,
        before: Timestamp,
        at_most: u32,
    ) -> Result<u64, StoreError> {
        let delete: Sql =
            prune::oldest(self.db.backend, table, column, also, before.as_micros(), at_most);
        self.db.execute("prune", Urgency::Batch, delete).await
    }
}

fn bounded(limit: u32) -> u32 {
    limit.clamp(1, MAX_PAGE)
}

/// The rows of a page, of which there may be one too many: the sign that there is a next one.
fn page<T>(
    rows: impl Iterator<Item = Result<(T, PageToken), StoreError>>,
    limit: u32,
) -> Result<Page<T>, StoreError> {
    let mut page = Page { items: Vec::new(), next: None };
    let mut last = None;
    for row in rows {
        if page.items.len() == limit as usize {
            page.next = last;
            break;
        }
        let (item, token) = row?;
        page.items.push(item);
        last = Some(token);
    }
    Ok(page)
}
