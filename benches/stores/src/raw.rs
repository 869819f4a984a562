//! The same by hand: what the database takes without anything of this crate.

use std::{path::Path, time::Instant};

use sea_orm::sqlx::{self, PgPool};

use crate::Result;

/// A table for [`transition`] that looks like the crate's own.
pub(crate) const COUNTER: &str =
    "INSERT INTO circuit_breaker_instances (run, registered_at) VALUES (1, 0)";

/// One transition of a circuit as one bare statement with the columns that change, its event and the
/// notice. Returns how long it took, in microseconds.
pub(crate) async fn transition(pool: &PgPool, version: u64) -> Result<f64> {
    let version = i64::try_from(version)?;
    let sql = if version == 0 {
        "WITH u AS (INSERT INTO circuit_breaker_states (service_name, state_epoch, state_version, \
           state_change_id, current_state, state_changed_at, open_for_micros, reopens, reason, \
           failure_count, recovery_timeout, recovery_timeout_micros, change_cursor) \
           VALUES ('bare', 0, $1 + 1, 1, 'open', 0, 0, 0, $2, 0, 0, 0, \
           CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)) RETURNING service_name), \
         e AS (INSERT INTO circuit_breaker_events (instance, sequence, service_name, created_at, \
           event_type, from_state, to_state, epoch, version, weight) \
           SELECT (SELECT id FROM circuit_breaker_instances WHERE run = 1), $1, service_name, 0, \
           'state_change', 'closed', 'open', 0, $1 + 1, 1 FROM u) \
         SELECT pg_notify('bare', service_name) FROM u"
    } else {
        "WITH u AS (UPDATE circuit_breaker_states SET state_epoch = 0, state_version = $1 + 1, \
           state_change_id = $1, current_state = CASE current_state WHEN 'open' THEN 'closed' \
           ELSE 'open' END, state_changed_at = 0, open_for_micros = 0, reopens = 0, reason = $2, \
           failure_count = 0, change_cursor = CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT) \
           WHERE service_name = 'bare' AND state_epoch = 0 AND state_version = $1 \
           RETURNING service_name), \
         e AS (INSERT INTO circuit_breaker_events (instance, sequence, service_name, created_at, \
           event_type, from_state, to_state, epoch, version, weight) \
           SELECT (SELECT id FROM circuit_breaker_instances WHERE run = 1), $1, service_name, 0, \
           'state_change', 'closed', 'open', 0, $1 + 1, 1 FROM u) \
         SELECT pg_notify('bare', service_name) FROM u"
    };
    let started = Instant::now();
    let rows = sqlx::query(sql)
        .bind(version)
        .bind("5 failures in a row (threshold 5)")
        .fetch_all(pool)
        .await?;
    let took = started.elapsed().as_secs_f64() * 1e6;
    if rows.len() == 1 { Ok(took) } else { Err("the bare statement wrote nothing".into()) }
}

/// Failure events a second into SQLite, through one prepared statement.
pub(crate) fn sqlite_events(path: &Path, events: u64, batch: u64) -> Result<f64> {
    let mut connection = rusqlite::Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let started = Instant::now();
    for first in (0..events).step_by(usize::try_from(batch)?) {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO circuit_breaker_events (instance, sequence, service_name, created_at, \
                 event_type, from_state, to_state, epoch, version, reason, error_type, \
                 error_message, elapsed_micros, admitted, generation, weight, trace_id, \
                 additional_data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (instance, sequence) DO NOTHING",
            )?;
            let (no_text, no_number) = (None::<&str>, None::<i64>);
            for sequence in first..(first + batch).min(events) {
                let sequence = i64::try_from(sequence)?;
                let at = 1_700_000_000_000_000 + sequence;
                insert.execute(rusqlite::params![
                    99,
                    sequence,
                    "remembered",
                    at,
                    "failure",
                    no_text,
                    "closed",
                    no_number,
                    no_number,
                    no_text,
                    no_text,
                    no_text,
                    1,
                    sequence,
                    1,
                    1,
                    no_text,
                    no_text
                ])?;
            }
        }
        transaction.commit()?;
    }
    Ok(events as f64 / started.elapsed().as_secs_f64())
}

/// Failure events a second into Postgres, with one `UNNEST` statement a batch. It binds all columns, as
/// the crate does: which of them hold something is not known to whoever writes events in general.
pub(crate) async fn postgres_events(pool: &PgPool, events: u64, batch: u64) -> Result<f64> {
    let started = Instant::now();
    for first in (0..events).step_by(usize::try_from(batch)?) {
        let sequences: Vec<i64> = (first..(first + batch).min(events))
            .map(i64::try_from)
            .collect::<std::result::Result<_, _>>()?;
        let rows = sequences.len();
        let at: Vec<i64> = sequences.iter().map(|it| 1_700_000_000_000_000 + it).collect();
        let (no_text, no_number) = (vec![None::<&str>; rows], vec![None::<i64>; rows]);
        let (nine, one) = (vec![99_i64; rows], vec![1_i64; rows]);
        sqlx::query(
            "INSERT INTO circuit_breaker_events (instance, sequence, service_name, created_at, \
             event_type, from_state, to_state, epoch, version, reason, error_type, error_message, \
             elapsed_micros, admitted, generation, weight, trace_id, additional_data) \
             SELECT a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, CAST(r AS JSONB) \
             FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::TEXT[], $4::BIGINT[], $5::TEXT[], \
             $6::TEXT[], $7::TEXT[], $8::BIGINT[], $9::BIGINT[], $10::TEXT[], $11::TEXT[], \
             $12::TEXT[], $13::BIGINT[], $14::BIGINT[], $15::BIGINT[], $16::BIGINT[], \
             $17::TEXT[], $18::TEXT[]) AS t (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r) \
             ON CONFLICT (instance, sequence) DO NOTHING",
        )
        .bind(&nine)
        .bind(&sequences)
        .bind(vec!["remembered"; rows])
        .bind(&at)
        .bind(vec!["failure"; rows])
        .bind(&no_text)
        .bind(vec![Some("closed"); rows])
        .bind(&no_number)
        .bind(&no_number)
        .bind(&no_text)
        .bind(&no_text)
        .bind(&no_text)
        .bind(&one)
        .bind(&sequences)
        .bind(&one)
        .bind(&one)
        .bind(&no_text)
        .bind(&no_text)
        .execute(pool)
        .await?;
    }
    Ok(events as f64 / started.elapsed().as_secs_f64())
}
