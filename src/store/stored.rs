//! What goes into a store with a write, and what comes back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    ids::Timestamp,
    record::{CircuitRecord, Lane, Versions},
};
use crate::{circuit::Version, name::ServiceName};

/// What a store has of a circuit.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "nearly all of them are records")]
pub enum Stored {
    /// The circuit's record.
    Record(CircuitRecord),
    /// The circuit was removed on purpose. A circuit with neither was never written, or is lost.
    Tombstone(Tombstone),
}

impl Stored {
    /// What the circuit protects.
    #[must_use]
    pub fn service(&self) -> &ServiceName {
        match self {
            Self::Record(record) => &record.service,
            Self::Tombstone(tombstone) => &tombstone.service,
        }
    }

    /// The version of a lane, also of one that was removed.
    #[must_use]
    pub fn version(&self, lane: Lane) -> Version {
        match self {
            Self::Record(record) => record.version(lane),
            Self::Tombstone(tombstone) => tombstone.versions.of(lane),
        }
    }

    /// The record, if it is one.
    #[must_use]
    pub fn record(self) -> Option<CircuitRecord> {
        match self {
            Self::Record(record) => Some(record),
            Self::Tombstone(_) => None,
        }
    }
}

/// What is left of a circuit that was removed: its versions, which are not used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tombstone {
    /// What the circuit protected.
    pub service: ServiceName,
    /// The versions that the lanes had.
    pub versions: Versions,
    /// When it was removed, by the store's clock.
    pub removed_at: Timestamp,
    /// How long ago that was when it was read, by the store's clock, zero if that clock went back.
    #[serde(skip)]
    pub age: Duration,
}

impl Tombstone {
    /// What is left of a record.
    #[must_use]
    pub fn of(record: &CircuitRecord, removed_at: Timestamp) -> Self {
        Self {
            service: record.service.clone(),
            versions: record.versions(),
            removed_at,
            age: Duration::ZERO,
        }
    }
}

/// What a write expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The lane that is written.
    pub lane: Lane,
    /// The version of that lane, of a record or a tombstone. None: the store has neither.
    pub version: Option<Version>,
}

impl Expected {
    /// Nothing is stored of the circuit.
    #[must_use]
    pub const fn missing(lane: Lane) -> Self {
        Self { lane, version: None }
    }

    /// The lane has this version.
    #[must_use]
    pub const fn version(lane: Lane, version: Version) -> Self {
        Self { lane, version: Some(version) }
    }

    /// What was found.
    #[must_use]
    pub fn found(lane: Lane, stored: Option<&Stored>) -> Self {
        Self { lane, version: stored.map(|stored| stored.version(lane)) }
    }
}

/// A write that the store took.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Committed {
    /// The version that the lane has now: that of the `next` that was written.
    pub version: Version,
    /// When, by the store's clock.
    pub at: Timestamp,
}

impl Committed {
    /// A write that was taken.
    #[must_use]
    pub const fn new(version: Version, at: Timestamp) -> Self {
        Self { version, at }
    }
}

/// Where a reader stands in a store's changes. Only the store that gave it out can read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub u64);

/// That something may have changed. It may come without a change, and twice: whoever is told loads
/// and compares versions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeHint {
    /// The record of a circuit.
    Changed(ServiceName),
    /// Any: changes may have been missed.
    Resync,
}
