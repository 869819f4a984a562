//! What the analysis and the alerting keep: patterns, alerts, silences.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    ids::{Timestamp, duration, maybe_duration},
    record::Extra,
};
use crate::name::ServiceName;

/// A failure pattern that was found, one row a finding: a finding that goes on is updated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PatternRecord {
    /// Which finding: what is written later under the same key replaces it. 1 to 512 bytes.
    pub key: String,
    /// What the circuit protects.
    pub service: ServiceName,
    /// The pattern: `burst`, `steady`, `intermittent`, `escalating`, `recovering`.
    pub pattern: String,
    /// How long a history was looked at.
    #[serde(with = "duration")]
    pub window: Duration,
    /// How many failures it had.
    pub failure_count: u64,
    /// Failures a second.
    pub error_rate: f64,
    /// The `failure_threshold` that would have served better.
    pub suggested_threshold: Option<u32>,
    /// The `recovery_timeout` that would have served better.
    #[serde(with = "maybe_duration")]
    pub suggested_timeout: Option<Duration>,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// When it was first found.
    pub first_seen: Timestamp,
    /// When it was last found.
    pub last_seen: Timestamp,
    /// The figures behind it.
    pub evidence: Extra,
}

impl PatternRecord {
    /// A finding without figures.
    #[must_use]
    pub fn new(key: String, service: ServiceName, pattern: String, seen: Timestamp) -> Self {
        Self {
            key,
            service,
            pattern,
            window: Duration::ZERO,
            failure_count: 0,
            error_rate: 0.0,
            suggested_threshold: None,
            suggested_timeout: None,
            confidence: 0.0,
            first_seen: seen,
            last_seen: seen,
            evidence: Extra::new(),
        }
    }
}

/// An alert: one row an incident, however many processes see it and however often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AlertRecord {
    /// Which incident: there is at most one unresolved alert of a key. 1 to 512 bytes.
    pub key: String,
    /// What the circuit protects; none for alerts about the whole.
    pub service: Option<ServiceName>,
    /// The kind: `circuit_opened`.
    pub kind: String,
    /// How bad it is.
    pub severity: Severity,
    /// For people. At most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    pub message: String,
    /// For programs.
    pub details: Extra,
    /// How often it was raised.
    pub count: u64,
    /// When it was first raised.
    pub first_at: Timestamp,
    /// When it was last raised.
    pub last_at: Timestamp,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
    /// When somebody took note.
    pub acknowledged_at: Option<Timestamp>,
    /// Who. At most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    pub acknowledged_by: Option<String>,
}

impl AlertRecord {
    /// An alert that is raised for the first time.
    #[must_use]
    pub fn new(key: String, kind: String, severity: Severity, at: Timestamp) -> Self {
        Self {
            key,
            service: None,
            kind,
            severity,
            message: String::new(),
            details: Extra::new(),
            count: 1,
            first_at: at,
            last_at: at,
            resolved_at: None,
            acknowledged_at: None,
            acknowledged_by: None,
        }
    }
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Something does not work.
    Error,
    /// Something does not work and does not get better by itself.
    Critical,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// The name in stores: `warning`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == name)
    }
}

/// That some alerts are not to be sent for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Silence {
    /// Which one: what is written later under the same key replaces it. 1 to 512 bytes.
    pub key: String,
    /// The alerts of which service; none for all.
    pub service: Option<ServiceName>,
    /// The alerts of which kind; none for all.
    pub kind: Option<String>,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who wants it. At most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    pub by: String,
    /// Why. At most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    pub reason: Option<String>,
}

impl Silence {
    /// A silence of all alerts.
    #[must_use]
    pub fn new(key: String, from: Timestamp, until: Timestamp, by: String) -> Self {
        Self { key, service: None, kind: None, from, until, by, reason: None }
    }
}
