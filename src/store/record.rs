//! What a store keeps of a circuit.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ids::{ChangeId, RunId, Timestamp, duration};
use crate::{
    circuit::{Override, State, Version},
    name::ServiceName,
};

/// Fields that this version of the crate does not know. They are kept, so that two versions may
/// share a store.
pub type Extra = Map<String, Value>;

/// What a store keeps of a circuit: three lanes that are written one at a time, each under a version
/// of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CircuitRecord {
    /// What the circuit protects: the key of the record.
    pub service: ServiceName,
    /// The state that results decided.
    pub state: StateLane,
    /// What a person set over it.
    #[serde(rename = "override")]
    pub override_: OverrideLane,
    /// What a person, or the analysis, changed of the settings while the circuit was running.
    pub settings: SettingsLane,
    /// How long the state has been in force. In what a store returns: by the store's own clock, when
    /// it was read, zero if that clock went back. In what is written: by the proposer's monotonic
    /// clock; the store derives [`changed_at`](StateLane::changed_at) from it.
    #[serde(skip)]
    pub age: Duration,
    /// What this version of the crate does not know. A write sets the keys it has and leaves the
    /// others alone.
    #[serde(flatten)]
    pub extra: Extra,
}

impl CircuitRecord {
    /// The record of a circuit that nothing has happened to: closed, every version 0.0.
    #[must_use]
    pub fn new(service: ServiceName) -> Self {
        Self {
            service,
            state: StateLane::default(),
            override_: OverrideLane::default(),
            settings: SettingsLane::default(),
            age: Duration::ZERO,
            extra: Extra::new(),
        }
    }

    /// The version of a lane.
    #[must_use]
    pub fn version(&self, lane: Lane) -> Version {
        match lane {
            Lane::State => self.state.version,
            Lane::Override => self.override_.version,
            Lane::Settings => self.settings.version,
        }
    }

    /// The last write of a lane.
    #[must_use]
    pub fn change_id(&self, lane: Lane) -> ChangeId {
        match lane {
            Lane::State => self.state.change_id,
            Lane::Override => self.override_.change_id,
            Lane::Settings => self.settings.change_id,
        }
    }

    /// The versions of all lanes.
    #[must_use]
    pub fn versions(&self) -> Versions {
        Versions {
            state: self.state.version,
            override_: self.override_.version,
            settings: self.settings.version,
        }
    }

    /// Takes one lane, and what is unknown, from another record of the same circuit: what a store
    /// does with `next` once the version is the expected one.
    pub fn take_lane(&mut self, lane: Lane, next: &Self) {
        match lane {
            Lane::State => {
                self.state = next.state.clone();
                self.age = next.age;
            }
            Lane::Override => self.override_ = next.override_.clone(),
            Lane::Settings => self.settings = next.settings.clone(),
        }
        for (key, value) in &next.extra {
            self.extra.insert(key.clone(), value.clone());
        }
    }
}

/// A part of a record that has a version of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// [`CircuitRecord::state`], with its age.
    State,
    /// [`CircuitRecord::override_`].
    Override,
    /// [`CircuitRecord::settings`].
    Settings,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::State, Self::Override, Self::Settings];

    /// The name, for logs and stores: `state`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Override => "override",
            Self::Settings => "settings",
        }
    }
}

/// The versions of a record's lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Of the state.
    pub state: Version,
    /// Of the override.
    #[serde(rename = "override")]
    pub override_: Version,
    /// Of the settings.
    pub settings: Version,
}

impl Versions {
    /// That of one lane.
    #[must_use]
    pub const fn of(&self, lane: Lane) -> Version {
        match lane {
            Lane::State => self.state,
            Lane::Override => self.override_,
            Lane::Settings => self.settings,
        }
    }
}

/// The state that results decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateLane {
    /// The version: 0.0 for a lane that was never written.
    pub version: Version,
    /// The write that made it.
    pub change_id: ChangeId,
    /// Closed, open or half-open; an override is no state of this lane.
    pub state: State,
    /// Since when, by the store's clock. Set by the store, which ignores what a proposer has here.
    pub changed_at: Timestamp,
    /// How long the circuit stays open from then on, jitter, backoff and Retry-After included. Zero
    /// in other states.
    #[serde(with = "duration")]
    pub open_for: Duration,
    /// Recoveries that failed in a row.
    pub reopens: u32,
    /// Who may probe.
    pub lease: Option<Lease>,
    /// Why, for people. At most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    pub reason: Option<String>,
    /// Failures in a row when the state changed. For people.
    pub failure_count: u32,
    /// When a call last failed before the state changed. For people.
    pub last_failure_at: Option<Timestamp>,
    /// `failure_threshold` of the process that wrote, none where it is off. For people.
    pub failure_threshold: Option<u32>,
    /// `recovery_timeout` of the process that wrote. For people.
    #[serde(with = "duration")]
    pub recovery_timeout: Duration,
}

impl Default for StateLane {
    fn default() -> Self {
        Self {
            version: Version::default(),
            change_id: ChangeId::default(),
            state: State::Closed,
            changed_at: Timestamp::EPOCH,
            open_for: Duration::ZERO,
            reopens: 0,
            lease: None,
            reason: None,
            failure_count: 0,
            last_failure_at: None,
            failure_threshold: None,
            recovery_timeout: Duration::ZERO,
        }
    }
}

/// Leave to probe a half-open circuit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Drawn for this lease, 0 to `i64::MAX`: a process may hold many.
    pub token: u64,
    /// Who holds it.
    pub owner: RunId,
    /// How long it is good for.
    #[serde(with = "duration")]
    pub term: Duration,
    /// How often it was renewed.
    pub renewals: u32,
    /// How many probes it permits.
    pub budget: u32,
}

/// What a person set over the state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OverrideLane {
    /// The version: 0.0 for a lane that was never written.
    pub version: Version,
    /// The write that made it.
    pub change_id: ChangeId,
    /// The override in force; none once it is lifted.
    pub value: Option<Override>,
    /// When it was set or lifted, by the wall clock of who did it.
    pub set_at: Option<Timestamp>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Who set or lifted it. At most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    pub by: Option<String>,
    /// Why. At most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    pub reason: Option<String>,
}

/// What was changed of the settings while the circuit was running.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SettingsLane {
    /// The version: 0.0 for a lane that was never written.
    pub version: Version,
    /// The write that made it.
    pub change_id: ChangeId,
    /// The settings that were changed, by their names, over those that each process brings along.
    /// Empty for none.
    pub changes: Extra,
    /// Who changed them. At most [`MAX_TEXT`](super::MAX_TEXT) bytes.
    pub by: Option<String>,
}
