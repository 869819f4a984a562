//! What the processes of a fleet tell each other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    ids::{RunId, Timestamp, duration},
    record::Extra,
};
use crate::{circuit::Version, name::ServiceName};

/// One running process, as it tells the others of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InstanceRow {
    /// Which run: the key of the row.
    pub run: RunId,
    /// A name for people: host and process id. At most 256 bytes.
    pub name: String,
    /// When it started, by its own wall clock.
    pub started_at: Timestamp,
    /// How long ago it last told of itself, by the store's clock. Ignored in what is written.
    #[serde(skip)]
    pub age: Duration,
    /// The circuits that it would open.
    pub votes: Vec<Vote>,
    /// What its windows hold.
    pub windows: Vec<WindowSummary>,
    /// What this version of the crate does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl InstanceRow {
    /// A process that has nothing to tell.
    #[must_use]
    pub fn new(run: RunId, name: String, started_at: Timestamp) -> Self {
        Self {
            run,
            name,
            started_at,
            age: Duration::ZERO,
            votes: Vec::new(),
            windows: Vec::new(),
            extra: Extra::new(),
        }
    }
}

/// That a process would open a circuit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Which circuit.
    pub service: ServiceName,
    /// The version of the state that the vote is about.
    pub version: Version,
    /// How long the circuit would stay open.
    #[serde(with = "duration")]
    pub open_for: Duration,
}

/// What the window of a circuit holds in one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSummary {
    /// Which circuit.
    pub service: ServiceName,
    /// All calls in the window.
    pub calls: u64,
    /// Failed ones.
    pub failures: u64,
    /// Slow ones.
    pub slow_calls: u64,
}

/// A named lease: background work that one process of a fleet does at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NamedLease {
    /// The work. 1 to 256 bytes.
    pub name: String,
    /// Drawn when it was taken, 0 to `i64::MAX`: a lease that was lost and taken again is another.
    pub token: u64,
    /// Who holds it.
    pub owner: RunId,
    /// How long it is good for from when it was taken or renewed, by the store's clock.
    #[serde(with = "duration")]
    pub term: Duration,
}

impl NamedLease {
    /// A lease that a store has just given.
    #[must_use]
    pub fn new(name: String, token: u64, owner: RunId, term: Duration) -> Self {
        Self { name, token, owner, term }
    }
}
