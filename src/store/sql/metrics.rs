//! The rows of metric buckets.

use sea_orm::QueryResult;
#[cfg(feature = "sqlite")]
use sea_orm::Value;

use super::{row::Row, statement::Sql};
use crate::store::{
    CallCounts, LatencySketch, MetricBucket, MetricQuery, PageToken, Resolution, StoreError,
};
#[cfg(feature = "sqlite")]
use {super::row::number, crate::store::ids::micros};

pub(super) const TABLE: &str = "circuit_breaker_metrics";

const COUNTS: &str = "admitted, succeeded, failed, slow, rejected, ignored, late, \
                      unavailable_micros, latencies";

/// In place of the bucket with the same key.
const REPLACE: &str = " ON CONFLICT (service_name, resolution_seconds, bucket_start, instance) \
    DO UPDATE SET admitted = excluded.admitted, succeeded = excluded.succeeded, \
    failed = excluded.failed, slow = excluded.slow, rejected = excluded.rejected, \
    ignored = excluded.ignored, late = excluded.late, \
    unavailable_micros = excluded.unavailable_micros, latencies = excluded.latencies";

/// The buckets that are left when each replaces the one with its key.
#[cfg(feature = "postgres")]
pub(super) fn last_of_each_key(buckets: &[MetricBucket]) -> Vec<&MetricBucket> {
    let mut last = std::collections::HashMap::with_capacity(buckets.len());
    for (at, bucket) in buckets.iter().enumerate() {
        last.insert((&bucket.service, bucket.run, bucket.resolution, bucket.start), at);
    }
    let mut at: Vec<usize> = last.into_values().collect();
    at.sort_unstable();
    at.into_iter().filter_map(|at| buckets.get(at)).collect()
}

/// Writes buckets of runs, which fails for a missing value if one of them has no instance yet.
#[cfg(feature = "sqlite")]
pub(super) fn upsert<'a>(buckets: impl Iterator<Item = &'a MetricBucket>) -> Sql {
    let mut sql = Sql::unnamed(format!(
        "INSERT INTO {TABLE} (service_name, resolution_seconds, bucket_start, instance, {COUNTS}) \
         VALUES "
    ));
    for (at, bucket) in buckets.enumerate() {
        sql.push(if at > 0 { ", (" } else { "(" });
        sql.bind(bucket.service.as_str()).push(", ");
        sql.bind(i32::try_from(bucket.resolution.seconds()).unwrap_or(i32::MAX)).push(", ");
        sql.bind(bucket.start.as_micros());
        sql.push(", (SELECT id FROM circuit_breaker_instances WHERE run = ");
        sql.bind(number(bucket.run.get())).push("), ");
        sql.bind_all(counts(bucket)).push(")");
    }
    sql.push(REPLACE);
    sql
}

/// Writes buckets whose columns are arrays.
#[cfg(feature = "postgres")]
pub(super) fn upsert_columns() -> String {
    const COLUMNS: &str = "service_name, resolution_seconds, bucket_start";
    format!(
        "INSERT INTO {TABLE} ({COLUMNS}, instance, {COUNTS}) \
         SELECT u.service_name, CAST(u.resolution_seconds AS INTEGER), u.bucket_start, i.id, \
         u.admitted, u.succeeded, u.failed, u.slow, u.rejected, u.ignored, u.late, \
         u.unavailable_micros, CAST(u.latencies AS JSONB) \
         FROM UNNEST($1::TEXT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[], \
         $6::BIGINT[], $7::BIGINT[], $8::BIGINT[], $9::BIGINT[], $10::BIGINT[], $11::BIGINT[], \
         $12::BIGINT[], $13::TEXT[]) AS u ({COLUMNS}, run, {COUNTS}) \
         LEFT JOIN circuit_breaker_instances i ON i.run = u.run{REPLACE}"
    )
}

#[cfg(feature = "sqlite")]
fn counts(bucket: &MetricBucket) -> [Value; 9] {
    let counts = &bucket.counts;
    let latencies = (!bucket.latencies.is_empty())
        .then(|| serde_json::to_value(&bucket.latencies).unwrap_or_default());
    [
        number(counts.admitted).into(),
        number(counts.succeeded).into(),
        number(counts.failed).into(),
        number(counts.slow).into(),
        number(counts.rejected).into(),
        number(counts.ignored).into(),
        number(counts.late).into(),
        micros(counts.unavailable).into(),
        Value::Json(latencies.map(Box::new)),
    ]
}

/// Selects a page, with one row more than it has if there is a next one.
pub(super) fn select(query: &MetricQuery, limit: u32) -> Sql {
    let mut sql = Sql::new(format!(
        "SELECT m.id, m.service_name, i.run, m.bucket_start, m.admitted, m.succeeded, m.failed, \
         m.slow, m.rejected, m.ignored, m.late, m.unavailable_micros, CAST(m.latencies AS TEXT) \
         FROM {TABLE} m LEFT JOIN circuit_breaker_instances i ON i.id = m.instance \
         WHERE m.resolution_seconds = "
    ));
    sql.bind(i32::try_from(query.resolution.seconds()).unwrap_or(i32::MAX));
    sql.push(" AND ").push_range("m.bucket_start", query.range);
    if let Some(service) = &query.service {
        sql.push(" AND m.service_name = ").bind(service.as_str());
    }
    if let Some(PageToken(start, id)) = query.page {
        sql.push(" AND (m.bucket_start, m.id) > (").bind(start).push(", ").bind(id).push(")");
    }
    sql.push(" ORDER BY m.bucket_start, m.id LIMIT ").bind(i64::from(limit) + 1);
    sql
}

pub(super) fn bucket(
    row: &QueryResult,
    resolution: Resolution,
) -> Result<(MetricBucket, PageToken), StoreError> {
    let id: i64 = row.try_get_by_index(0).unwrap_or_default();
    let row = Row::new(TABLE, id.to_string(), row);
    let token = row.int("id")?;
    let (service, run) = (row.service("service_name")?, row.run("instance")?);
    let start = row.time("bucket_start")?;
    let counts = CallCounts {
        admitted: row.number("admitted")?,
        succeeded: row.number("succeeded")?,
        failed: row.number("failed")?,
        slow: row.number("slow")?,
        rejected: row.number("rejected")?,
        ignored: row.number("ignored")?,
        late: row.number("late")?,
        unavailable: row.duration("unavailable_micros")?,
    };
    let latencies: LatencySketch = row.json("latencies")?;
    let bucket = MetricBucket { service, run, resolution, start, counts, latencies };
    Ok((bucket, PageToken(start.as_micros(), token)))
}
