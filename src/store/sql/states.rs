//! The rows of circuits: how they are read, and what a write of a lane writes.

use std::time::Duration;

use sea_orm::{DbBackend, QueryResult, Value};

use super::{
    row::{Row, json, number},
    statement::{Dialect as _, Sql},
};
use crate::{
    circuit::{Override, State, Version},
    store::{
        ChangeId, CircuitRecord, Expected, Lane, Lease, OverrideLane, RunId, SettingsLane,
        StateLane, StoreError, Stored, Timestamp, Tombstone, Versions, ids::micros,
    },
};

pub(super) const TABLE: &str = "circuit_breaker_states";

/// The channel on which Postgres tells of changes.
#[cfg(feature = "postgres")]
pub(super) const CHANNEL: &str = "circuit_breaker_changes";

/// What [`stored`] reads, in that order; the clock follows.
const COLUMNS: &str = "s.service_name, s.removed_at, \
    s.state_epoch, s.state_version, s.state_change_id, s.current_state, s.state_changed_at, \
    s.open_for_micros, s.reopens, s.lease_token, s.lease_owner, s.lease_term_micros, \
    s.lease_renewals, s.lease_budget, s.reason, s.failure_count, s.last_failure_time, \
    s.failure_threshold, s.recovery_timeout_micros, \
    s.override_epoch, s.override_version, s.override_change_id, s.override_state, \
    s.override_set_at, s.override_expires_at, s.override_by, s.override_reason, \
    s.settings_epoch, s.settings_version, s.settings_change_id, \
    CAST(s.settings_changes AS TEXT), s.settings_by, CAST(s.extra AS TEXT)";

/// Selects one row.
pub(super) fn select_one(backend: DbBackend, service: &str) -> Sql {
    let mut sql = Sql::new(format!(
        "SELECT {COLUMNS}, {} FROM {TABLE} s WHERE s.service_name = ",
        backend.now()
    ));
    sql.bind(service);
    sql
}

/// Selects the rows that were written at `since` or later, all of them if there is none, and where
/// the reader stands now as the last column: of at least one row, which is null if nothing changed.
pub(super) fn select_since(backend: DbBackend, since: Option<i64>) -> Sql {
    let mut sql = Sql::new(format!(
        "SELECT {COLUMNS}, {}, c.stands FROM (SELECT {} AS stands) c LEFT JOIN {TABLE} s ON ",
        backend.now(),
        cursor_now(backend)
    ));
    match since {
        Some(since) => sql.push("s.change_cursor >= ").bind(since),
        None => sql.push("TRUE"),
    };
    sql
}

/// Selects the names and cursors of what was written after `since` (on Postgres, not before), and
/// where the reader stands.
pub(super) fn select_changes(backend: DbBackend, since: i64) -> Sql {
    let from = match backend {
        // Of two transactions the one with the higher number may commit first: the cursor is below
        // all that still run.
        DbBackend::Postgres => ">=",
        _ => ">",
    };
    let mut sql = Sql::new(format!(
        "SELECT s.service_name, s.change_cursor, c.stands FROM (SELECT {} AS stands) c \
         LEFT JOIN {TABLE} s ON s.change_cursor {from} ",
        cursor_now(backend)
    ));
    sql.bind(since);
    sql
}

/// Where a reader stands that has read everything: on SQLite the highest cursor that was given out,
/// on Postgres the oldest transaction that still runs.
fn cursor_now(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)"
        }
        _ => {
            "max(coalesce((SELECT max(change_cursor) FROM circuit_breaker_states), 0), \
             (SELECT deleted FROM circuit_breaker_cursor))"
        }
    }
}

/// What a write gives its row.
pub(super) fn next_cursor(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)",
        _ => {
            "max(coalesce((SELECT max(change_cursor) FROM circuit_breaker_states), 0), \
             (SELECT deleted FROM circuit_breaker_cursor)) + 1"
        }
    }
}

/// Where the reader stands, in each row of [`select_since`] and [`select_changes`].
pub(super) fn stands(row: &QueryResult) -> Result<i64, StoreError> {
    row.try_get::<i64>("", "stands")
        .map_err(|error| StoreError::corrupt(TABLE, "-", format!("change_cursor: {error}")))
}

/// Whether a row of theirs is there only for the cursor.
pub(super) fn is_blank(row: &QueryResult) -> bool {
    matches!(row.try_get_by_index::<Option<String>>(0), Ok(None))
}

/// The name and the cursor of a row of [`select_changes`], if it is not there only for the cursor.
pub(super) fn change(row: &QueryResult) -> Option<(String, i64)> {
    Some((row.try_get_by_index(0).ok()?, row.try_get_by_index(1).ok()?))
}

/// Reads a row.
pub(super) fn stored(row: &QueryResult) -> Result<Stored, StoreError> {
    let row = Row::keyed(TABLE, row);
    let service = row.service("service_name")?;
    let removed_at = row.maybe_time("removed_at")?;
    let version = |epoch: &str, counter: &str| -> Result<Version, StoreError> {
        Ok(Version::new(row.number(epoch)?, row.number(counter)?))
    };
    let change_id = |field: &str| -> Result<ChangeId, StoreError> {
        Ok(ChangeId::new(row.number(field)?).unwrap_or_default())
    };
    let state = StateLane {
        version: version("state_epoch", "state_version")?,
        change_id: change_id("state_change_id")?,
        state: {
            let name = row.text("current_state")?;
            let state = row.state("current_state", &name)?;
            if state.is_override() {
                return Err(row.corrupt(format!("current_state is the override `{name}`")));
            }
            state
        },
        changed_at: row.time("state_changed_at")?,
        open_for: row.duration("open_for_micros")?,
        reopens: row.small("reopens")?,
        lease: {
            let token = row.maybe_number("lease_token")?;
            let owner = row.maybe_number("lease_owner")?;
            let term = row.maybe_duration("lease_term_micros")?;
            let renewals = row.maybe_small("lease_renewals")?;
            let budget = row.maybe_small("lease_budget")?;
            match (token, owner.and_then(RunId::new), term, renewals, budget) {
                (Some(token), Some(owner), Some(term), Some(renewals), Some(budget)) => {
                    Some(Lease { token, owner, term, renewals, budget })
                }
                (None, None, None, None, None) => None,
                _ => return Err(row.corrupt("lease_token and its other fields are not all there")),
            }
        },
        reason: row.maybe_text("reason")?,
        failure_count: row.small("failure_count")?,
        last_failure_at: row.maybe_time("last_failure_time")?,
        failure_threshold: row.maybe_small("failure_threshold")?,
        recovery_timeout: row.duration("recovery_timeout_micros")?,
    };
    let override_ = OverrideLane {
        version: version("override_epoch", "override_version")?,
        change_id: change_id("override_change_id")?,
        value: match row.maybe_state("override_state")? {
            None => None,
            Some(State::ForcedOpen) => Some(Override::ForcedOpen),
            Some(State::Disabled) => Some(Override::Disabled),
            Some(State::MetricsOnly) => Some(Override::MetricsOnly),
            Some(state) => {
                return Err(row.corrupt(format!("override_state is `{state}`, which is none")));
            }
        },
        set_at: row.maybe_time("override_set_at")?,
        expires_at: row.maybe_time("override_expires_at")?,
        by: row.maybe_text("override_by")?,
        reason: row.maybe_text("override_reason")?,
    };
    let settings = SettingsLane {
        version: version("settings_epoch", "settings_version")?,
        change_id: change_id("settings_change_id")?,
        changes: row.data("settings_changes")?,
        by: row.maybe_text("settings_by")?,
    };
    let extra = row.data("extra")?;
    let now = row.time("the clock")?;
    if let Some(removed_at) = removed_at {
        return Ok(Stored::Tombstone(Tombstone {
            service,
            versions: Versions {
                state: state.version,
                override_: override_.version,
                settings: settings.version,
            },
            removed_at,
            age: now.since(removed_at),
        }));
    }
    let age = now.since(state.changed_at);
    Ok(Stored::Record(CircuitRecord { service, state, override_, settings, age, extra }))
}

/// What is written into a column.
enum Cell {
    Value(Value),
    /// The time by the store's clock, so long ago.
    Ago(Duration),
}

/// The columns of a lane, its version and change id first.
fn lane_cells(lane: Lane, next: &CircuitRecord) -> Vec<(&'static str, Cell)> {
    let value = |column, value: Value| (column, Cell::Value(value));
    let big = |number: u64| Value::from(self::number(number));
    let maybe_time = |at: Option<Timestamp>| Value::from(at.map(Timestamp::as_micros));
    match lane {
        Lane::State => {
            let lane = &next.state;
            let lease = lane.lease.as_ref();
            vec![
                value("state_epoch", big(lane.version.epoch)),
                value("state_version", big(lane.version.counter)),
                value("state_change_id", big(lane.change_id.get())),
                value("current_state", lane.state.as_str().into()),
                ("state_changed_at", Cell::Ago(next.age)),
                value("open_for_micros", micros(lane.open_for).into()),
                value("reopens", i64::from(lane.reopens).into()),
                value("lease_token", lease.map(|lease| number(lease.token)).into()),
                value("lease_owner", lease.map(|lease| number(lease.owner.get())).into()),
                value("lease_term_micros", lease.map(|lease| micros(lease.term)).into()),
                value("lease_renewals", lease.map(|lease| i64::from(lease.renewals)).into()),
                value("lease_budget", lease.map(|lease| i64::from(lease.budget)).into()),
                value("reason", lane.reason.clone().into()),
                value("failure_count", i64::from(lane.failure_count).into()),
                value("last_failure_time", maybe_time(lane.last_failure_at)),
                value("failure_threshold", lane.failure_threshold.map(i64::from).into()),
                value("recovery_timeout", number(lane.recovery_timeout.as_secs()).into()),
                value("recovery_timeout_micros", micros(lane.recovery_timeout).into()),
            ]
        }
        Lane::Override => {
            let lane = &next.override_;
            vec![
                value("override_epoch", big(lane.version.epoch)),
                value("override_version", big(lane.version.counter)),
                value("override_change_id", big(lane.change_id.get())),
                value(
                    "override_state",
                    lane.value.map(|value| State::from(value).as_str().to_owned()).into(),
                ),
                value("override_set_at", maybe_time(lane.set_at)),
                value("override_expires_at", maybe_time(lane.expires_at)),
                value("override_by", lane.by.clone().into()),
                value("override_reason", lane.reason.clone().into()),
            ]
        }
        Lane::Settings => {
            let lane = &next.settings;
            vec![
                value("settings_epoch", big(lane.version.epoch)),
                value("settings_version", big(lane.version.counter)),
                value("settings_change_id", big(lane.change_id.get())),
                value("settings_changes", json(&lane.changes)),
                value("settings_by", lane.by.clone().into()),
            ]
        }
    }
}

fn push_cell(sql: &mut Sql, backend: DbBackend, cell: Cell) {
    match cell {
        Cell::Value(value) => {
            sql.bind(value);
        }
        Cell::Ago(ago) => {
            sql.push(backend.greatest()).push("(0, ").push(backend.now()).push(" - ");
            sql.bind(micros(ago)).push(")");
        }
    }
}

/// Writes a lane, and `extra` if it is given, of a row that is or is not there yet. Returns name and
/// time if it did.
pub(super) fn push_write(
    sql: &mut Sql,
    backend: DbBackend,
    expected: Expected,
    next: &CircuitRecord,
    extra: Option<Value>,
) {
    let cells = lane_cells(expected.lane, next);
    match expected.version {
        None => {
            sql.push(&format!("INSERT INTO {TABLE} (service_name"));
            for (column, _) in &cells {
                sql.push(", ").push(column);
            }
            // Closed since now, if it is not this that is written.
            if expected.lane != Lane::State {
                sql.push(", state_changed_at");
            }
            sql.push(", extra, change_cursor) VALUES (").bind(next.service.as_str());
            for (_, cell) in cells {
                sql.push(", ");
                push_cell(sql, backend, cell);
            }
            if expected.lane != Lane::State {
                sql.push(", ").push(backend.now());
            }
            sql.push(", ").bind(json(&next.extra)).push(", ").push(next_cursor(backend));
            sql.push(") ON CONFLICT (service_name) DO NOTHING");
        }
        Some(version) => {
            sql.push(&format!("UPDATE {TABLE} SET "));
            for (column, cell) in cells {
                sql.push(column).push(" = ");
                push_cell(sql, backend, cell);
                sql.push(", ");
            }
            if let Some(extra) = extra {
                sql.push("extra = ");
                if backend == DbBackend::Postgres {
                    sql.push("coalesce(extra, '{}') || ");
                }
                sql.bind(extra).push(", ");
            }
            if expected.lane != Lane::State {
                sql.push(
                    "state_changed_at = CASE WHEN removed_at IS NULL THEN state_changed_at ELSE ",
                );
                sql.push(backend.now()).push(" END, ");
            }
            sql.push("removed_at = NULL, change_cursor = ").push(next_cursor(backend));
            push_version(sql, &next.service, expected.lane, version);
        }
    }
    sql.push(" RETURNING service_name, ").push(backend.now()).push(" AS at");
}

fn push_version(sql: &mut Sql, service: &str, lane: Lane, version: Version) {
    sql.push(" WHERE service_name = ").bind(service);
    sql.push(&format!(" AND {lane}_epoch = ", lane = lane.as_str())).bind(number(version.epoch));
    sql.push(&format!(" AND {lane}_version = ", lane = lane.as_str()))
        .bind(number(version.counter));
}

/// Makes a tombstone of a row: the versions stay, all else goes. Returns the name
/// if it did.
pub(super) fn push_entomb(
    sql: &mut Sql,
    backend: DbBackend,
    service: &str,
    lane: Lane,
    version: Version,
) {
    sql.push(&format!(
        "UPDATE {TABLE} SET removed_at = {}, change_cursor = {}, state_change_id = 0, \
         current_state = 'closed', state_changed_at = 0, open_for_micros = 0, reopens = 0, \
         lease_token = NULL, lease_owner = NULL, lease_term_micros = NULL, lease_renewals = NULL, \
         lease_budget = NULL, reason = NULL, failure_count = 0, last_failure_time = NULL, \
         failure_threshold = NULL, recovery_timeout = 0, recovery_timeout_micros = 0, \
         override_change_id = 0, override_state = NULL, override_set_at = NULL, \
         override_expires_at = NULL, override_by = NULL, override_reason = NULL, \
         settings_change_id = 0, settings_changes = NULL, settings_by = NULL, extra = NULL",
        backend.now(),
        next_cursor(backend)
    ));
    push_version(sql, service, lane, version);
    sql.push(" AND removed_at IS NULL RETURNING service_name");
}
