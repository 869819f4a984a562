//! Writing many rows at once.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use sea_orm::ConnectionTrait;

use super::{events, failure::Failure, gate::Urgency, instances, metrics, store::SqlStore};
use crate::store::{EventRecord, MetricBucket, RunId, StoreError};

/// Rows a statement: always as many, so that it is prepared once, but for what is left over.
const ROWS: usize = 50;

impl SqlStore {
    /// On SQLite: statements of some rows each, in one transaction.
    pub(super) async fn append_in_transaction(
        &self,
        events: &[EventRecord],
    ) -> Result<u64, StoreError> {
        let events: Arc<[EventRecord]> = events.into();
        self.db
            .transaction("append", Urgency::Batch, move |transaction| {
                let events = events.clone();
                Box::pin(async move {
                    let backend = transaction.get_database_backend();
                    let mut ids = HashMap::new();
                    for event in &*events {
                        if let Entry::Vacant(free) = ids.entry(event.id.run) {
                            free.insert(instances::id_of(transaction, event.id.run).await?);
                        }
                    }
                    let of = |event: &EventRecord| ids.get(&event.id.run).copied();
                    let mut written = 0;
                    for chunk in chunks(&events) {
                        let rows = chunk.iter().filter_map(|event| Some((of(event)?, event)));
                        let insert = events::insert(rows).on(backend);
                        written += transaction.execute_raw(insert).await?.rows_affected();
                    }
                    Ok(written)
                })
            })
            .await
    }

    pub(super) async fn upsert_in_transaction(
        &self,
        buckets: &[MetricBucket],
    ) -> Result<(), StoreError> {
        let buckets: Arc<[MetricBucket]> = buckets.into();
        self.db
            .transaction("upsert_metrics", Urgency::Batch, move |transaction| {
                let buckets = buckets.clone();
                Box::pin(async move {
                    let backend = transaction.get_database_backend();
                    let mut runs: Vec<RunId> = buckets.iter().map(|bucket| bucket.run).collect();
                    runs.sort_unstable();
                    runs.dedup();
                    for run in runs {
                        instances::id_of(transaction, run).await?;
                    }
                    for chunk in chunks(&buckets) {
                        let upsert = metrics::upsert(chunk.iter()).on(backend);
                        transaction.execute_raw(upsert).await?;
                    }
                    Ok::<_, Failure>(())
                })
            })
            .await
    }
}

/// Whole chunks, then halves of what is left, so that there are few different lengths.
fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut length = ROWS;
    std::iter::from_fn(move || {
        while rows.len() < length {
            length /= 2;
        }
        if length == 0 {
            return None;
        }
        let (chunk, rest) = rows.split_at_checked(length)?;
        rows = rest;
        Some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_every_row_once_in_few_lengths() {
        for count in [0, 1, 7, 49, 50, 51, 250, 12_345] {
            let rows: Vec<u32> = (0..count).collect();
            assert_eq!(chunks(&rows).flatten().copied().collect::<Vec<_>>(), rows);
            assert!(chunks(&rows).all(|chunk| [50, 25, 12, 6, 3, 1].contains(&chunk.len())));
        }
    }
}
