//! Defects of the history.

use async_trait::async_trait;
use tower_breaker::store::{
    AlertRecord, EventQuery, EventRecord, HistoryStore, MemoryStore, MetricBucket, MetricQuery,
    Page, PageToken, Prune, Timestamp,
};

use crate::broken::{Answer, Defect};

/// Appends events up to the first that is not valid.
#[derive(Debug, Default)]
pub(crate) struct PartialAppend;

#[async_trait]
impl Defect for PartialAppend {
    async fn append(&self, store: &MemoryStore, events: &[EventRecord]) -> Answer<u64> {
        let mut new = 0;
        for event in events {
            new += store.append(std::slice::from_ref(event)).await?;
        }
        Ok(new)
    }
}

/// Takes events that it has for new ones.
#[derive(Debug, Default)]
pub(crate) struct CountsKnown;

#[async_trait]
impl Defect for CountsKnown {
    async fn append(&self, store: &MemoryStore, events: &[EventRecord]) -> Answer<u64> {
        store.append(events).await?;
        Ok(events.len() as u64)
    }
}

macro_rules! queries {
    ($(#[$doc:meta])* $defect:ident, |$store:ident, $query:ident| $body:expr) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $defect;

        #[async_trait]
        impl Defect for $defect {
            async fn events(
                &self,
                $store: &MemoryStore,
                $query: &EventQuery,
            ) -> Answer<Page<EventRecord>> {
                $body
            }
        }
    };
}

queries! {
    /// Has the rows of a page in the order of their numbers.
    WrongOrder, |store, query| {
        let mut page = store.events(query).await?;
        page.items.sort_by_key(|event| event.id.sequence);
        Ok(page)
    }
}

queries! {
    /// Goes on after the time of the last row.
    LosesEqualTimes, |store, query| {
        let mut query = query.clone();
        let time = |PageToken(micros, _)| Timestamp::from_micros(micros).unwrap();
        if let Some(last) = query.page.take().map(time) {
            if query.newest_first {
                query.range.until = last;
            } else {
                query.range.from = Timestamp::from_micros(last.as_micros() + 1).unwrap();
            }
        }
        store.events(&query).await
    }
}

queries! {
    /// Counts the rows before a page.
    Offset, |store, query| {
        let mut whole = query.clone();
        let limit = query.limit.clamp(1, 10_000) as usize;
        let offset = whole.page.take().map_or(0, |PageToken(offset, _)| offset as usize);
        whole.limit = u32::MAX;
        let items = store.events(&whole).await?.items;
        let more = items.len() > offset + limit;
        let items = items.into_iter().skip(offset).take(limit).collect();
        Ok(Page { items, next: more.then_some(PageToken((offset + limit) as i64, 0)) })
    }
}

queries! {
    /// Promises another page after one that is full.
    EmptyLastPage, |store, query| {
        let mut page = store.events(query).await?;
        if page.items.len() == query.limit as usize && page.next.is_none() {
            page.next = page.items.last().map(|_| PageToken(i64::MAX, i64::MAX));
            if query.newest_first {
                page.next = Some(PageToken(0, i64::MIN));
            }
        }
        Ok(page)
    }
}

queries! {
    /// Has no time without an end.
    NoLastTime, |store, query| {
        let mut page = store.events(query).await?;
        page.items.retain(|event| event.at < query.range.until);
        Ok(page)
    }
}

/// Adds buckets up instead of replacing them.
#[derive(Debug, Default)]
pub(crate) struct MetricsAdded;

#[async_trait]
impl Defect for MetricsAdded {
    async fn upsert_metrics(&self, store: &MemoryStore, buckets: &[MetricBucket]) -> Answer<()> {
        buckets.iter().try_for_each(MetricBucket::check)?;
        for bucket in buckets {
            let mut sum = bucket.clone();
            let known = store.metrics(&MetricQuery::new(bucket.resolution)).await?.items;
            let same = |known: &&MetricBucket| {
                (&known.service, known.run, known.start)
                    == (&bucket.service, bucket.run, bucket.start)
            };
            if let Some(known) = known.iter().find(same) {
                sum.counts.add(&known.counts);
                sum.counts.failed = sum.counts.failed.min(i64::MAX as u64);
            }
            let _ = store.upsert_metrics(&[sum]).await;
        }
        Ok(())
    }
}

/// Tells an alert as it was raised, and not as the incident is.
#[derive(Debug, Default)]
pub(crate) struct AlertAsRaised;

#[async_trait]
impl Defect for AlertAsRaised {
    async fn raise_alert(&self, store: &MemoryStore, alert: &AlertRecord) -> Answer<AlertRecord> {
        store.raise_alert(alert).await.map(|_| alert.clone())
    }
}

/// Deletes all that is old at once.
#[derive(Debug, Default)]
pub(crate) struct PruneUnbounded;

#[async_trait]
impl Defect for PruneUnbounded {
    async fn prune(
        &self,
        store: &MemoryStore,
        what: Prune,
        before: Timestamp,
        _at_most: u32,
    ) -> Answer<u64> {
        store.prune(what, before, u32::MAX).await
    }
}
