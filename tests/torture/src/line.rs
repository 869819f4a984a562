//! What a worker says: one line of JSON each.

use std::io::Write;

use serde::{Deserialize, Serialize};
use tower_breaker::{
    State,
    circuit::Version,
    store::{ChangeId, CircuitRecord, EventId, EventRecord, Expected, Lane},
};

/// What a worker says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// What it found in the store when it started.
    Recovered(Recovered),
    /// Its load begins.
    Ready,
    /// A write is about to be handed to the store.
    Try(Attempt),
    /// The store took a write.
    Ack(Attempt),
    /// Another write came first.
    Conflict(Attempt),
    /// The store gave another error.
    Failed {
        /// The write.
        attempt: Attempt,
        /// The error and its sources.
        error: String,
    },
    /// It stops for ever, at the point that it was told.
    Hold {
        /// Where.
        point: Point,
        /// The write.
        attempt: Attempt,
    },
    /// The states of its circuits, as it was asked.
    States {
        /// One of each.
        circuits: Vec<Standing>,
    },
    /// How much the store costs a call.
    Speed(crate::speed::Speed),
    /// What was left when it ended as it was told.
    Left {
        /// Circuits whose changes were not committed.
        uncommitted: usize,
        /// Events that were not written.
        unwritten: u64,
    },
}

impl Line {
    /// Prints it. The line is out of the process before this returns, so that it is told of even if
    /// the process is killed at once.
    pub fn say(&self) {
        let mut text = match serde_json::to_string(self) {
            Ok(text) => text,
            // Not a line: whoever hears it says so.
            Err(error) => error.to_string(),
        };
        text.push('\n');
        let mut out = std::io::stdout().lock();
        // Nobody hears it if the parent is gone: the worker ends by itself then.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// A write of a lane that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The circuit.
    pub service: String,
    /// The lane.
    pub lane: Lane,
    /// The version that it was to have.
    pub version: Version,
    /// The write's own id.
    pub change: ChangeId,
    /// The event that was to be written with it.
    pub event: Option<EventId>,
    /// The state before.
    pub from: Option<State>,
    /// The state after.
    pub to: Option<State>,
}

impl Attempt {
    /// The write that a store is asked for.
    #[must_use]
    pub fn of(expected: Expected, next: &CircuitRecord, event: Option<&EventRecord>) -> Self {
        Self {
            service: next.service.to_string(),
            lane: expected.lane,
            version: next.version(expected.lane),
            change: next.change_id(expected.lane),
            event: event.map(|event| event.id),
            from: event.and_then(|event| event.from),
            to: event.and_then(|event| event.to),
        }
    }
}

/// Where a worker stops for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// The circuit has changed, and nothing was sent.
    Before,
    /// The store is at it.
    During,
    /// It is committed, and the coordinator has not heard of that.
    After,
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Before, Self::During, Self::After];

    /// Its name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }

    /// The point of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|point| point.as_str() == name)
    }
}

/// What was found of a circuit. Times are microseconds, points in time since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recovered {
    /// The circuit.
    pub service: String,
    /// The state that the registry found.
    pub state: State,
    /// The version that the registry found.
    pub version: Version,
    /// What was left of the open time when the registry read it.
    pub remaining: Option<i64>,
    /// Before it was read.
    pub started_at: i64,
    /// The state of the live circuit.
    pub live_state: State,
    /// What is left of the live circuit's open time.
    pub live_remaining: Option<i64>,
    /// When that was.
    pub at: i64,
}

/// Where a circuit is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The circuit.
    pub service: String,
    /// The state in force here, overrides included.
    pub state: State,
    /// The version of the store's state as far as this process knows.
    pub version: Option<Version>,
}
