//! The rows of patterns, alerts and silences.

use sea_orm::QueryResult;

use super::{
    row::{Row, json, number},
    statement::Sql,
};
use crate::store::{
    AlertQuery, AlertRecord, PatternQuery, PatternRecord, Severity, Silence, StoreError,
    ids::micros,
};

pub(super) const PATTERNS: &str = "circuit_breaker_failure_patterns";
pub(super) const ALERTS: &str = "circuit_breaker_alerts";
pub(super) const SILENCES: &str = "circuit_breaker_silences";

pub(super) fn upsert_pattern(pattern: &PatternRecord) -> Sql {
    let mut sql = Sql::new(format!(
        "INSERT INTO {PATTERNS} (pattern_key, service_name, pattern_type, time_window_seconds, \
         time_window_micros, failure_count, error_rate, suggested_threshold, suggested_timeout, \
         suggested_timeout_micros, confidence_score, created_at, last_seen_at, evidence) VALUES ("
    ));
    sql.bind_all([
        pattern.key.as_str().into(),
        pattern.service.as_str().into(),
        pattern.pattern.as_str().into(),
        number(pattern.window.as_secs()).into(),
        micros(pattern.window).into(),
        number(pattern.failure_count).into(),
        pattern.error_rate.into(),
        pattern.suggested_threshold.map(i64::from).into(),
        pattern.suggested_timeout.map(|timeout| number(timeout.as_secs())).into(),
        pattern.suggested_timeout.map(micros).into(),
        pattern.confidence.into(),
        pattern.first_seen.as_micros().into(),
        pattern.last_seen.as_micros().into(),
        json(&pattern.evidence),
    ]);
    sql.push(
        ") ON CONFLICT (pattern_key) DO UPDATE SET service_name = excluded.service_name, \
         pattern_type = excluded.pattern_type, time_window_seconds = excluded.time_window_seconds, \
         time_window_micros = excluded.time_window_micros, failure_count = excluded.failure_count, \
         error_rate = excluded.error_rate, suggested_threshold = excluded.suggested_threshold, \
         suggested_timeout = excluded.suggested_timeout, \
         suggested_timeout_micros = excluded.suggested_timeout_micros, \
         confidence_score = excluded.confidence_score, created_at = excluded.created_at, \
         last_seen_at = excluded.last_seen_at, evidence = excluded.evidence",
    );
    sql
}

pub(super) fn select_patterns(query: &PatternQuery, limit: u32) -> Sql {
    let mut sql = Sql::new(format!(
        "SELECT pattern_key, service_name, pattern_type, time_window_micros, failure_count, \
         error_rate, suggested_threshold, suggested_timeout_micros, confidence_score, created_at, \
         last_seen_at, CAST(evidence AS TEXT) FROM {PATTERNS} WHERE "
    ));
    sql.push_range("last_seen_at", query.range);
    if let Some(service) = &query.service {
        sql.push(" AND service_name = ").bind(service.as_str());
    }
    sql.push(" ORDER BY last_seen_at DESC LIMIT ").bind(i64::from(limit));
    sql
}

pub(super) fn pattern(row: &QueryResult) -> Result<PatternRecord, StoreError> {
    let row = Row::keyed(PATTERNS, row);
    Ok(PatternRecord {
        key: row.text("pattern_key")?,
        service: row.service("service_name")?,
        pattern: row.text("pattern_type")?,
        window: row.duration("time_window_micros")?,
        failure_count: row.number("failure_count")?,
        error_rate: row.real("error_rate")?,
        suggested_threshold: row.maybe_small("suggested_threshold")?,
        suggested_timeout: row.maybe_duration("suggested_timeout_micros")?,
        confidence: row.real("confidence_score")?,
        first_seen: row.time("created_at")?,
        last_seen: row.time("last_seen_at")?,
        evidence: row.data("evidence")?,
    })
}

/// What [`alert`] reads, in that order.
const ALERT_COLUMNS: &str = "alert_key, service_name, alert_type, severity, message, \
    CAST(details AS TEXT), count, created_at, last_seen_at, resolved_at, acknowledged_at, \
    acknowledged_by";

/// Raises an alert. Returns the incident.
pub(super) fn raise(alert: &AlertRecord, greatest: &str) -> Sql {
    let mut sql = Sql::new(format!(
        "INSERT INTO {ALERTS} AS a (alert_key, service_name, alert_type, severity, message, \
         details, count, created_at, last_seen_at, resolved_at, acknowledged_at, acknowledged_by) \
         VALUES ("
    ));
    sql.bind_all([
        alert.key.as_str().into(),
        alert.service.as_ref().map(|service| service.as_str().to_owned()).into(),
        alert.kind.as_str().into(),
        alert.severity.as_str().into(),
        alert.message.as_str().into(),
        json(&alert.details),
        number(alert.count).into(),
        alert.first_at.as_micros().into(),
        alert.last_at.as_micros().into(),
        alert.resolved_at.map(|at| at.as_micros()).into(),
        alert.acknowledged_at.map(|at| at.as_micros()).into(),
        alert.acknowledged_by.clone().into(),
    ]);
    // A count that would be more than the database can keep stays what it was.
    sql.push(&format!(
        ") ON CONFLICT (alert_key) WHERE resolved_at IS NULL DO UPDATE SET \
         count = CASE WHEN a.count > {most} - excluded.count THEN a.count \
         ELSE a.count + excluded.count END, \
         last_seen_at = {greatest}(a.last_seen_at, excluded.last_seen_at) \
         RETURNING {ALERT_COLUMNS}",
        most = i64::MAX
    ));
    sql
}

/// Counts an alert to the incident of its key. Returns that, if there is one.
pub(super) fn count(alert: &AlertRecord, greatest: &str) -> Sql {
    let mut sql =
        Sql::new(format!("UPDATE {ALERTS} SET count = CASE WHEN count > {} - ", i64::MAX));
    sql.bind(number(alert.count)).push(" THEN count ELSE count + ").bind(number(alert.count));
    sql.push(&format!(" END, last_seen_at = {greatest}(last_seen_at, "));
    sql.bind(alert.last_at.as_micros()).push(") WHERE alert_key = ").bind(alert.key.as_str());
    sql.push(&format!(" AND resolved_at IS NULL RETURNING {ALERT_COLUMNS}"));
    sql
}

pub(super) fn resolve(key: &str, at: i64) -> Sql {
    let mut sql = Sql::new(format!("UPDATE {ALERTS} SET resolved_at = "));
    sql.bind(at).push(" WHERE alert_key = ").bind(key).push(" AND resolved_at IS NULL");
    sql
}

pub(super) fn acknowledge(key: &str, by: &str, at: i64) -> Sql {
    let mut sql = Sql::new(format!("UPDATE {ALERTS} SET acknowledged_at = "));
    sql.bind(at).push(", acknowledged_by = ").bind(by);
    sql.push(&format!(
        " WHERE acknowledged_at IS NULL AND id = (SELECT id FROM {ALERTS} WHERE alert_key = "
    ));
    sql.bind(key).push(" ORDER BY (resolved_at IS NULL) DESC, resolved_at DESC, id DESC LIMIT 1)");
    sql
}

pub(super) fn select_alerts(query: &AlertQuery, limit: u32) -> Sql {
    let mut sql = Sql::new(format!("SELECT {ALERT_COLUMNS} FROM {ALERTS} WHERE "));
    sql.push_range("last_seen_at", query.range);
    if let Some(service) = &query.service {
        sql.push(" AND service_name = ").bind(service.as_str());
    }
    if query.unacknowledged {
        sql.push(" AND acknowledged_at IS NULL");
    }
    if query.unresolved {
        sql.push(" AND resolved_at IS NULL");
    }
    sql.push(" ORDER BY last_seen_at DESC, id DESC LIMIT ").bind(i64::from(limit));
    sql
}

pub(super) fn alert(row: &QueryResult) -> Result<AlertRecord, StoreError> {
    let row = Row::keyed(ALERTS, row);
    let (key, service) = (row.text("alert_key")?, row.maybe_service("service_name")?);
    let (kind, severity) = (row.text("alert_type")?, row.text("severity")?);
    let severity = Severity::from_name(&severity)
        .ok_or_else(|| row.corrupt(format!("severity is `{severity}`, which is none")))?;
    Ok(AlertRecord {
        key,
        service,
        kind,
        severity,
        message: row.text("message")?,
        details: row.data("details")?,
        count: row.number("count")?,
        first_at: row.time("created_at")?,
        last_at: row.time("last_seen_at")?,
        resolved_at: row.maybe_time("resolved_at")?,
        acknowledged_at: row.maybe_time("acknowledged_at")?,
        acknowledged_by: row.maybe_text("acknowledged_by")?,
    })
}

pub(super) fn put_silence(silence: &Silence) -> Sql {
    let mut sql = Sql::new(format!(
        "INSERT INTO {SILENCES} (silence_key, service_name, alert_type, silent_from, silent_until, \
         created_by, reason) VALUES ("
    ));
    sql.bind_all([
        silence.key.as_str().into(),
        silence.service.as_ref().map(|service| service.as_str().to_owned()).into(),
        silence.kind.clone().into(),
        silence.from.as_micros().into(),
        silence.until.as_micros().into(),
        silence.by.as_str().into(),
        silence.reason.clone().into(),
    ]);
    sql.push(
        ") ON CONFLICT (silence_key) DO UPDATE SET service_name = excluded.service_name, \
         alert_type = excluded.alert_type, silent_from = excluded.silent_from, \
         silent_until = excluded.silent_until, created_by = excluded.created_by, \
         reason = excluded.reason",
    );
    sql
}

pub(super) fn remove_silence(key: &str) -> Sql {
    let mut sql = Sql::new(format!("DELETE FROM {SILENCES} WHERE silence_key = "));
    sql.bind(key);
    sql
}

pub(super) fn select_silences(now: i64) -> Sql {
    let mut sql = Sql::new(format!(
        "SELECT silence_key, service_name, alert_type, silent_from, silent_until, created_by, \
         reason FROM {SILENCES} WHERE silent_until > "
    ));
    sql.bind(now);
    sql
}

pub(super) fn silence(row: &QueryResult) -> Result<Silence, StoreError> {
    let row = Row::keyed(SILENCES, row);
    Ok(Silence {
        key: row.text("silence_key")?,
        service: row.maybe_service("service_name")?,
        kind: row.maybe_text("alert_type")?,
        from: row.time("silent_from")?,
        until: row.time("silent_until")?,
        by: row.text("created_by")?,
        reason: row.maybe_text("reason")?,
    })
}
