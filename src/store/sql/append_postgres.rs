//! Writing many rows at once on Postgres: one statement, whose parameters are whole columns.

use sea_orm::sqlx::{self, postgres::PgQueryResult};

use super::{
    db::again, events, failure::Failure, instances, metrics, row::number, store::SqlStore,
    urgency::Urgency,
};
use crate::store::{EventRecord, MetricBucket, RunId, StoreError, ids::micros};

impl SqlStore {
    pub(super) async fn append_columns(&self, events: &[EventRecord]) -> Result<u64, StoreError> {
        let pool = self.db.writer.get_postgres_connection_pool();
        let sql = events::insert_columns();
        let column = EventColumns::of(events)?;
        let insert = || async {
            let done: PgQueryResult = sqlx::query(sqlx::AssertSqlSafe(sql.as_str()))
                .bind(&column.run)
                .bind(&column.sequence)
                .bind(&column.service)
                .bind(&column.at)
                .bind(&column.kind)
                .bind(&column.from)
                .bind(&column.to)
                .bind(&column.epoch)
                .bind(&column.version)
                .bind(&column.reason)
                .bind(&column.error_type)
                .bind(&column.error_message)
                .bind(&column.elapsed)
                .bind(&column.admitted)
                .bind(&column.generation)
                .bind(&column.weight)
                .bind(&column.trace_id)
                .bind(&column.data)
                .execute(pool)
                .await?;
            Ok(done.rows_affected())
        };
        let runs = events.iter().map(|event| event.id.run).collect();
        self.registering("append", runs, insert).await
    }

    pub(super) async fn upsert_columns(&self, buckets: &[MetricBucket]) -> Result<(), StoreError> {
        let pool = self.db.writer.get_postgres_connection_pool();
        let sql = metrics::upsert_columns();
        // One statement cannot write a row twice.
        let buckets = metrics::last_of_each_key(buckets);
        let of = |number_of: fn(&MetricBucket) -> i64| -> Vec<i64> {
            buckets.iter().map(|bucket| number_of(bucket)).collect()
        };
        let service: Vec<&str> = buckets.iter().map(|bucket| bucket.service.as_str()).collect();
        let latencies: Vec<Option<String>> = buckets
            .iter()
            .map(|bucket| {
                (!bucket.latencies.is_empty())
                    .then(|| serde_json::to_string(&bucket.latencies).unwrap_or_default())
            })
            .collect();
        let columns = [
            of(|bucket| bucket.resolution.seconds().into()),
            of(|bucket| bucket.start.as_micros()),
            of(|bucket| number(bucket.run.get())),
            of(|bucket| number(bucket.counts.admitted)),
            of(|bucket| number(bucket.counts.succeeded)),
            of(|bucket| number(bucket.counts.failed)),
            of(|bucket| number(bucket.counts.slow)),
            of(|bucket| number(bucket.counts.rejected)),
            of(|bucket| number(bucket.counts.ignored)),
            of(|bucket| number(bucket.counts.late)),
            of(|bucket| micros(bucket.counts.unavailable)),
        ];
        let upsert = || async {
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.as_str())).bind(&service);
            for column in &columns {
                query = query.bind(column);
            }
            query.bind(&latencies).execute(pool).await?;
            Ok(())
        };
        let runs = buckets.iter().map(|bucket| bucket.run).collect();
        self.registering("upsert_metrics", runs, upsert).await
    }

    /// Does it, and if that fails since runs have no ids yet, gives them theirs and does it again.
    async fn registering<T, F>(
        &self,
        operation: &'static str,
        mut runs: Vec<RunId>,
        attempt: impl Fn() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let doing = async {
            match again(&attempt).await {
                Err(failure) if failure.is_missing_value() => {
                    runs.sort_unstable();
                    runs.dedup();
                    for runs in runs.chunks(10_000) {
                        let register = instances::register(self.db.backend, runs);
                        self.db.execute(operation, Urgency::Batch, register).await?;
                    }
                    again(&attempt).await
                }
                done => done,
            }
        };
        self.db.in_time(operation, doing).await
    }
}

/// Events by column.
#[derive(Default)]
struct EventColumns<'a> {
    run: Vec<i64>,
    sequence: Vec<i64>,
    service: Vec<&'a str>,
    at: Vec<i64>,
    kind: Vec<&'a str>,
    from: Vec<Option<&'a str>>,
    to: Vec<Option<&'a str>>,
    epoch: Vec<Option<i64>>,
    version: Vec<Option<i64>>,
    reason: Vec<Option<&'a str>>,
    error_type: Vec<Option<&'a str>>,
    error_message: Vec<Option<&'a str>>,
    elapsed: Vec<Option<i64>>,
    admitted: Vec<Option<i64>>,
    generation: Vec<Option<i64>>,
    weight: Vec<i64>,
    trace_id: Vec<Option<String>>,
    data: Vec<Option<String>>,
}

impl<'a> EventColumns<'a> {
    fn of(events: &'a [EventRecord]) -> Result<Self, StoreError> {
        let mut columns = Self::default();
        for event in events {
            columns.run.push(number(event.id.run.get()));
            columns.sequence.push(number(event.id.sequence));
            columns.service.push(event.service.as_str());
            columns.at.push(event.at.as_micros());
            columns.kind.push(event.kind.as_str());
            columns.from.push(event.from.map(|state| state.as_str()));
            columns.to.push(event.to.map(|state| state.as_str()));
            columns.epoch.push(event.version.map(|version| number(version.epoch)));
            columns.version.push(event.version.map(|version| number(version.counter)));
            columns.reason.push(event.reason.as_deref());
            columns.error_type.push(event.error_type.as_deref());
            columns.error_message.push(event.error_message.as_deref());
            columns.elapsed.push(event.elapsed.map(micros));
            columns.admitted.push(event.admitted.map(number));
            columns.generation.push(event.generation.map(number));
            columns.weight.push(event.weight.into());
            columns.trace_id.push(event.trace_id.map(|id| id.to_string()));
            columns.data.push(events::data(event)?);
        }
        Ok(columns)
    }
}
