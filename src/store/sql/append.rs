//! Writing many rows at once on SQLite: one transaction, whose statements are few and always the
//! same, so that they are prepared once.

use std::sync::Arc;

use super::{
    events, instances, metrics, row::number, store::SqlStore, together::Together, urgency::Urgency,
};
use crate::store::{EventRecord, MetricBucket, RunId, StoreError, ids::micros};

/// The most rows a statement. SQLite takes 32,766 parameters.
const ROWS: usize = 256;

impl SqlStore {
    pub(super) async fn append_together(&self, events: &[EventRecord]) -> Result<u64, StoreError> {
        let mut together = Together::transaction();
        let mut inserts = Vec::new();
        for of_one_run in events.chunk_by(|one, next| one.id.run == next.id.run) {
            if let Some(event) = of_one_run.first() {
                together.add(instances::register_one(self.db.backend, event.id.run))?;
            }
            for rows in of_one_run.chunks(ROWS) {
                let room = rows.len().next_power_of_two();
                inserts.push(add_insert(&mut together, rows, room)?);
            }
        }
        let done = self.db.write_together("append", Urgency::Batch, together).await?;
        Ok(done.changes(inserts))
    }

    pub(super) async fn upsert_together(&self, buckets: &[MetricBucket]) -> Result<(), StoreError> {
        let mut together = Together::transaction();
        let mut runs: Vec<RunId> = buckets.iter().map(|bucket| bucket.run).collect();
        runs.sort_unstable();
        runs.dedup();
        for run in runs {
            together.add(instances::register_one(self.db.backend, run))?;
        }
        for chunk in chunks(buckets) {
            together.add(metrics::upsert(chunk.iter()))?;
        }
        self.db.write_together("upsert_metrics", Urgency::Batch, together).await?;
        Ok(())
    }
}

/// Inserts events of one run, which has an instance, by a statement with room for more of them: the
/// rows that are left hold nothing and are passed over. Returns which statement it is.
fn add_insert(
    together: &mut Together,
    rows: &[EventRecord],
    room: usize,
) -> Result<usize, StoreError> {
    const ROW: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let values = vec![ROW; room].join(", ");
    let statement = together.push(&format!(
        "INSERT INTO {table} (instance, {columns}) \
         SELECT (SELECT id FROM circuit_breaker_instances WHERE run = ?), v.* \
         FROM (VALUES {values}) v WHERE v.column1 IS NOT NULL{once}",
        table = events::TABLE,
        columns = events::COLUMNS,
        once = events::ONCE,
    ));
    if let Some(event) = rows.first() {
        together.bind(number(event.id.run.get()))?;
    }
    let mut texts = Repeated::default();
    for event in rows {
        together.bind(number(event.id.sequence))?;
        together.bind(texts.of(0, &event.service))?;
        together.bind(event.at.as_micros())?;
        together.bind(texts.of(1, event.kind.as_str()))?;
        together.bind(event.from.map(|state| texts.of(2, state.as_str())))?;
        together.bind(event.to.map(|state| texts.of(3, state.as_str())))?;
        together.bind(event.version.map(|version| number(version.epoch)))?;
        together.bind(event.version.map(|version| number(version.counter)))?;
        together.bind(event.reason.as_deref().map(|text| texts.of(4, text)))?;
        together.bind(event.error_type.as_deref().map(|text| texts.of(5, text)))?;
        together.bind(event.error_message.as_deref().map(|text| texts.of(6, text)))?;
        together.bind(event.elapsed.map(micros))?;
        together.bind(event.admitted.map(number))?;
        together.bind(event.generation.map(number))?;
        together.bind(i64::from(event.weight))?;
        together.bind(event.trace_id.map(|id| id.to_string()))?;
        together.bind(events::data(event)?)?;
    }
    for _ in rows.len() * 17..room * 17 {
        together.bind(None::<i64>)?;
    }
    Ok(statement)
}

/// The texts that were bound last, by column: most are the same in the next row.
#[derive(Default)]
struct Repeated([Option<Arc<str>>; 7]);

impl Repeated {
    fn of(&mut self, column: usize, text: &str) -> Arc<str> {
        let Some(last) = self.0.get_mut(column) else { return text.into() };
        match last {
            Some(last) if **last == *text => Arc::clone(last),
            _ => Arc::clone(last.insert(text.into())),
        }
    }
}

/// Whole chunks, then halves of what is left, so that there are few different lengths.
fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut length = 50;
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
