//! The rows of processes: the small ids of runs, and what each tells of itself.

use sea_orm::{DbBackend, QueryResult};

use super::{
    row::{Row, json, number},
    statement::{Dialect as _, Sql},
};
use crate::store::{InstanceRow, RunId, StoreError};

const TABLE: &str = "circuit_breaker_instances";

/// How long the id of a run is kept after it last told of itself, at least: a process that never
/// does may write events for as long as it lives.
const KEPT_MICROS: i64 = 30 * 86_400 * 1_000_000;

/// Gives runs their ids where they have none.
#[cfg(feature = "postgres")]
pub(super) fn register(backend: DbBackend, runs: &[RunId]) -> Sql {
    let mut sql = Sql::new(format!("INSERT INTO {TABLE} (run, registered_at) VALUES "));
    for (at, run) in runs.iter().enumerate() {
        sql.push(if at > 0 { ", (" } else { "(" });
        sql.bind(number(run.get())).push(", ").push(backend.now()).push(")");
    }
    sql.push(" ON CONFLICT (run) DO NOTHING");
    sql
}

/// Gives a run its id where it has none, which is found out without writing.
#[cfg(feature = "sqlite")]
pub(super) fn register_one(backend: DbBackend, run: RunId) -> Sql {
    let mut sql = Sql::unnamed(format!("INSERT INTO {TABLE} (run, registered_at) SELECT "));
    sql.bind(number(run.get())).push(", ").push(backend.now());
    sql.push(&format!(" WHERE NOT EXISTS (SELECT 1 FROM {TABLE} WHERE run = "));
    sql.bind(number(run.get())).push(")");
    sql
}

pub(super) fn publish(backend: DbBackend, row: &InstanceRow) -> Result<Sql, StoreError> {
    let now = backend.now();
    let array = |field, value: serde_json::Result<serde_json::Value>| {
        value
            .map(|value| sea_orm::Value::Json(Some(Box::new(value))))
            .map_err(|error| StoreError::invalid(field, error.to_string()))
    };
    let mut sql = Sql::new(format!(
        "INSERT INTO {TABLE} (run, registered_at, published_at, name, started_at, votes, windows, \
         extra) VALUES ("
    ));
    sql.bind(number(row.run.get())).push(", ").push(now).push(", ").push(now).push(", ");
    sql.bind_all([
        row.name.as_str().into(),
        row.started_at.as_micros().into(),
        array("votes", serde_json::to_value(&row.votes))?,
        array("windows", serde_json::to_value(&row.windows))?,
        json(&row.extra),
    ]);
    sql.push(
        ") ON CONFLICT (run) DO UPDATE SET published_at = excluded.published_at, \
         name = excluded.name, started_at = excluded.started_at, votes = excluded.votes, \
         windows = excluded.windows, extra = excluded.extra",
    );
    Ok(sql)
}

pub(super) fn select(backend: DbBackend, age: i64) -> Sql {
    let now = backend.now();
    let mut sql = Sql::new(format!(
        "SELECT run, {now} - published_at, name, started_at, CAST(votes AS TEXT), \
         CAST(windows AS TEXT), CAST(extra AS TEXT) FROM {TABLE} WHERE published_at >= {now} - "
    ));
    sql.bind(age);
    sql
}

pub(super) fn instance(row: &QueryResult) -> Result<InstanceRow, StoreError> {
    let key: i64 = row.try_get_by_index(0).unwrap_or_default();
    let row = Row::new(TABLE, format!("{key:016x}"), row);
    let run = row.run("run")?;
    let age = row.int("published_at")?;
    let name = row.text("name")?;
    let mut instance = InstanceRow::new(run, name, row.time("started_at")?);
    instance.age = std::time::Duration::from_micros(u64::try_from(age).unwrap_or_default());
    instance.votes = row.json("votes")?;
    instance.windows = row.json("windows")?;
    instance.extra = row.data("extra")?;
    Ok(instance)
}

/// Takes back what a process told of itself. Its id stays, for the events it wrote.
pub(super) fn retire(run: RunId) -> Sql {
    let mut sql = Sql::new(UNPUBLISH);
    sql.push(" WHERE run = ").bind(number(run.get())).push(" AND published_at IS NOT NULL");
    sql
}

const UNPUBLISH: &str = "UPDATE circuit_breaker_instances SET published_at = NULL, name = NULL, \
                         started_at = NULL, votes = NULL, windows = NULL, extra = NULL";

/// The same for processes that have not told of themselves for so long.
pub(super) fn forget(backend: DbBackend, age: i64, at_most: u32) -> Sql {
    let mut sql = Sql::new(format!(
        "{UNPUBLISH} WHERE run IN (SELECT run FROM {TABLE} WHERE published_at <= {} - ",
        backend.now()
    ));
    sql.bind(age).push(" ORDER BY published_at LIMIT ").bind(i64::from(at_most)).push(")");
    sql
}

/// Deletes ids that nothing refers to any more.
pub(super) fn forget_ids(backend: DbBackend, at_most: u32) -> Sql {
    let mut sql = Sql::new(format!(
        "DELETE FROM {TABLE} WHERE id IN (SELECT id FROM {TABLE} i WHERE published_at IS NULL \
         AND registered_at <= {} - ",
        backend.now()
    ));
    sql.bind(KEPT_MICROS).push(
        " AND NOT EXISTS (SELECT 1 FROM circuit_breaker_events e WHERE e.instance = i.id) \
         AND NOT EXISTS (SELECT 1 FROM circuit_breaker_metrics m WHERE m.instance = i.id) LIMIT ",
    );
    sql.bind(i64::from(at_most)).push(")");
    sql
}
