//! The rows of events.

use sea_orm::{QueryResult, Value};

use super::{
    row::{Row, json, number},
    statement::Sql,
};
use crate::{
    circuit::Version,
    store::{
        EventId, EventKind, EventQuery, EventRecord, PageToken, StoreError, TraceId, ids::micros,
    },
};

pub(super) const TABLE: &str = "circuit_breaker_events";

/// What [`cells`] gives a row, after the instance.
pub(super) const COLUMNS: &str = "sequence, service_name, created_at, event_type, from_state, to_state, \
    epoch, version, reason, error_type, error_message, elapsed_micros, admitted, generation, \
    weight, trace_id, additional_data";

/// A row that is there already stays.
pub(super) const ONCE: &str = " ON CONFLICT (instance, sequence) DO NOTHING";

/// The values of a row, after the instance.
fn cells(event: &EventRecord) -> [Value; 17] {
    [
        number(event.id.sequence).into(),
        event.service.as_str().into(),
        event.at.as_micros().into(),
        event.kind.as_str().into(),
        event.from.map(|state| state.as_str().to_owned()).into(),
        event.to.map(|state| state.as_str().to_owned()).into(),
        event.version.map(|version| number(version.epoch)).into(),
        event.version.map(|version| number(version.counter)).into(),
        event.reason.clone().into(),
        event.error_type.clone().into(),
        event.error_message.clone().into(),
        event.elapsed.map(micros).into(),
        event.admitted.map(number).into(),
        event.generation.map(number).into(),
        i64::from(event.weight).into(),
        event.trace_id.map(|id| id.to_string()).into(),
        json(&event.data),
    ]
}

/// Inserts one event, by its run: fails for a missing value if the run has no instance yet. `from`
/// is what has to have a row for that, or a condition.
pub(super) fn push_insert(sql: &mut Sql, event: &EventRecord, from: &str) {
    sql.push(&format!(
        "INSERT INTO {TABLE} (instance, {COLUMNS}) \
         SELECT (SELECT id FROM circuit_breaker_instances WHERE run = "
    ));
    sql.bind(number(event.id.run.get())).push("), ");
    sql.bind_all(cells(event)).push(from).push(ONCE);
}

/// The data of an event as text; none where there is none.
pub(super) fn data(event: &EventRecord) -> Result<Option<String>, StoreError> {
    if event.data.is_empty() {
        return Ok(None);
    }
    let data = serde_json::to_string(&event.data);
    Ok(Some(data.map_err(|error| StoreError::invalid("data", error.to_string()))?))
}

/// Inserts events whose columns are arrays, the run first, by their runs.
#[cfg(feature = "postgres")]
pub(super) fn insert_columns() -> String {
    format!(
        "INSERT INTO {TABLE} (instance, {COLUMNS}) \
         SELECT i.id, u.sequence, u.service_name, u.created_at, u.event_type, u.from_state, \
         u.to_state, u.epoch, u.version, u.reason, u.error_type, u.error_message, \
         u.elapsed_micros, u.admitted, u.generation, u.weight, u.trace_id, \
         CAST(u.additional_data AS JSONB) \
         FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::TEXT[], $4::BIGINT[], $5::TEXT[], $6::TEXT[], \
         $7::TEXT[], $8::BIGINT[], $9::BIGINT[], $10::TEXT[], $11::TEXT[], $12::TEXT[], \
         $13::BIGINT[], $14::BIGINT[], $15::BIGINT[], $16::BIGINT[], $17::TEXT[], $18::TEXT[]) \
         AS u (run, {COLUMNS}) LEFT JOIN circuit_breaker_instances i ON i.run = u.run{ONCE}"
    )
}

/// Selects a page, with one row more than it has if there is a next one.
pub(super) fn select(query: &EventQuery, limit: u32) -> Sql {
    let mut sql = Sql::new(format!(
        "SELECT e.id, i.run, e.sequence, e.service_name, e.created_at, e.event_type, e.from_state, \
         e.to_state, e.epoch, e.version, e.reason, e.error_type, e.error_message, \
         e.elapsed_micros, e.admitted, e.generation, e.weight, e.trace_id, \
         CAST(e.additional_data AS TEXT) \
         FROM {TABLE} e LEFT JOIN circuit_breaker_instances i ON i.id = e.instance \
         WHERE "
    ));
    sql.push_range("e.created_at", query.range);
    if let Some(service) = &query.service {
        sql.push(" AND e.service_name = ").bind(service.as_str());
    }
    if !query.kinds.is_empty() {
        sql.push(" AND e.event_type IN (");
        sql.bind_all(query.kinds.iter().map(|kind| kind.as_str().into())).push(")");
    }
    let (than, order) = if query.newest_first { ("<", "DESC") } else { (">", "ASC") };
    if let Some(PageToken(at, id)) = query.page {
        sql.push(&format!(" AND (e.created_at, e.id) {than} ("));
        sql.bind(at).push(", ").bind(id).push(")");
    }
    sql.push(&format!(" ORDER BY e.created_at {order}, e.id {order} LIMIT "));
    sql.bind(i64::from(limit) + 1);
    sql
}

/// Reads a row, and where it stands in the order.
pub(super) fn event(row: &QueryResult) -> Result<(EventRecord, PageToken), StoreError> {
    let id: i64 = row.try_get_by_index(0).unwrap_or_default();
    let row = Row::new(TABLE, id.to_string(), row);
    let token = row.int("id")?;
    let id = EventId { run: row.run("instance")?, sequence: row.number("sequence")? };
    let service = row.service("service_name")?;
    let at = row.time("created_at")?;
    let kind = row.text("event_type")?;
    let kind = EventKind::from_name(&kind)
        .ok_or_else(|| row.corrupt(format!("event_type is `{kind}`, which is none")))?;
    let mut event = EventRecord::new(id, service, at, kind);
    event.from = row.maybe_state("from_state")?;
    event.to = row.maybe_state("to_state")?;
    let (epoch, counter) = (row.maybe_number("epoch")?, row.maybe_number("version")?);
    event.version = match (epoch, counter) {
        (Some(epoch), Some(counter)) => Some(Version::new(epoch, counter)),
        (None, None) => None,
        _ => return Err(row.corrupt("epoch and version are not both there")),
    };
    event.reason = row.maybe_text("reason")?;
    event.error_type = row.maybe_text("error_type")?;
    event.error_message = row.maybe_text("error_message")?;
    event.elapsed = row.maybe_duration("elapsed_micros")?;
    event.admitted = row.maybe_number("admitted")?;
    event.generation = row.maybe_number("generation")?;
    event.weight = row.small("weight")?;
    event.trace_id = match row.maybe_text("trace_id")? {
        None => None,
        Some(text) => Some(
            TraceId::parse(&text)
                .ok_or_else(|| row.corrupt(format!("trace_id is `{text}`, which is none")))?,
        ),
    };
    event.data = row.data("additional_data")?;
    Ok((event, PageToken(at.as_micros(), token)))
}
