//! What the history keeps of what happened.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    ids::{RunId, Timestamp, maybe_duration},
    record::Extra,
};
use crate::{
    circuit::{State, Version},
    name::ServiceName,
};

/// Something that happened to a circuit, as the history keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventRecord {
    /// Which event: a store keeps an event once, however often it is given it.
    pub id: EventId,
    /// What the circuit protects.
    pub service: ServiceName,
    /// When, by the wall clock of the process. Order within a run is that of the sequence.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// The state before, of a state change.
    pub from: Option<State>,
    /// The state after, of a state change; else the state in force.
    pub to: Option<State>,
    /// The version that a state change, override or settings change committed.
    pub version: Option<Version>,
    /// Why, in one word: `failure_rate`.
    pub reason: Option<String>,
    /// The class of the error. At most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    pub error_type: Option<String>,
    /// The error. At most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    pub error_message: Option<String>,
    /// How long the call took.
    #[serde(with = "maybe_duration")]
    pub elapsed: Option<Duration>,
    /// Calls admitted in this run when it happened: the place of a failure among them.
    pub admitted: Option<u64>,
    /// The generation that the call was admitted under.
    pub generation: Option<u64>,
    /// How many alike events this one stands for: 1 unless they were counted or sampled.
    pub weight: u32,
    /// The trace that the call belonged to.
    pub trace_id: Option<TraceId>,
    /// Anything else.
    pub data: Extra,
}

impl EventRecord {
    /// An event without particulars.
    #[must_use]
    pub fn new(id: EventId, service: ServiceName, at: Timestamp, kind: EventKind) -> Self {
        Self {
            id,
            service,
            at,
            kind,
            from: None,
            to: None,
            version: None,
            reason: None,
            error_type: None,
            error_message: None,
            elapsed: None,
            admitted: None,
            generation: None,
            weight: 1,
            trace_id: None,
            data: Extra::new(),
        }
    }
}

/// Which event: its place among those of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId {
    /// The run.
    pub run: RunId,
    /// The place, 0 to `i64::MAX`. Rises; numbers may be left out.
    pub sequence: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The circuit changed its state, and the store took it.
    StateChange,
    /// A call failed.
    Failure,
    /// A call was slow, and did not fail.
    Slow,
    /// Calls were rejected: as many as the weight says.
    Rejected,
    /// A probe ended.
    Probe,
    /// The settings were changed.
    SettingsChange,
    /// An override was set or lifted.
    Override,
    /// Code of the user's that a breaker runs panicked.
    Panic,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::StateChange,
        Self::Failure,
        Self::Slow,
        Self::Rejected,
        Self::Probe,
        Self::SettingsChange,
        Self::Override,
        Self::Panic,
    ];

    /// The name in stores: `state_change`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StateChange => "state_change",
            Self::Failure => "failure",
            Self::Slow => "slow",
            Self::Rejected => "rejected",
            Self::Probe => "probe",
            Self::SettingsChange => "settings_change",
            Self::Override => "override",
            Self::Panic => "panic",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The trace id of [W3C Trace Context](https://www.w3.org/TR/trace-context/): sixteen bytes that are
/// not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

impl TraceId {
    /// The id with these bytes, none if all are zero.
    #[must_use]
    pub const fn new(id: u128) -> Option<Self> {
        if id == 0 { None } else { Some(Self(id)) }
    }

    /// The bytes as a number.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0
    }

    /// Reads 32 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if digits { u128::from_str_radix(text, 16).ok().and_then(Self::new) } else { None }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl Serialize for TraceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format_args!("`{text}` is not a trace id of 32 digits"))
        })
    }
}
