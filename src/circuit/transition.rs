//! What an operation on a circuit made it do.

use std::{fmt, time::Duration};

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::{moment::Moment, reason::Reason, state::State};

/// Where a state stands in the history of a circuit: compared whole, the epoch first.
///
/// The circuit counts its own changes; what it takes over from a store brings its version along.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Version {
    /// Rises when a fleet had to decide without its durable store.
    pub epoch: u64,
    /// Rises by one with each change.
    pub counter: u64,
}

impl Version {
    /// A version of an epoch.
    #[must_use]
    pub const fn new(epoch: u64, counter: u64) -> Self {
        Self { epoch, counter }
    }

    pub(crate) fn next(self) -> Self {
        Self { counter: self.counter.saturating_add(1), ..self }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.counter)
    }
}

/// Who made a circuit change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// The circuit itself, judging results and time.
    Circuit,
    /// A person, by an override or a reset.
    Operator,
    /// Another process that shares the circuit.
    Peer,
}

/// One change of a circuit's state. A reset is one too, where the state stays the same.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state from now on.
    pub to: State,
    /// The generation that began: results of calls admitted earlier decide nothing any more.
    pub generation: u64,
    /// The version of the new state.
    pub version: Version,
    /// Why.
    pub reason: Reason,
    /// As of when; a half-open round that expires ends as of its deadline.
    pub at: Moment,
    /// How long the circuit stays open, jitter, backoff and Retry-After included.
    pub open_for: Option<Duration>,
    /// Recoveries that failed in a row.
    pub reopens: u32,
    /// Who.
    pub by: Origin,
}

/// The transitions of one operation, oldest first. At most four, kept without allocation.
#[derive(Clone, Debug, Default)]
pub struct Transitions(ArrayVec<Transition, 4>);

impl Transitions {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(ArrayVec::new_const())
    }

    pub(super) fn push(&mut self, transition: Transition) {
        // The longest chain, half-open → open → half-open → closed, fits; a fifth would be a defect
        // of the circuit, and the newest is then what callers need.
        if let Err(full) = self.0.try_push(transition) {
            self.0.remove(0);
            self.0.push(full.element());
        }
    }

    /// Takes the transitions out and leaves the list empty.
    pub fn drain(&mut self) -> impl Iterator<Item = Transition> + '_ {
        self.0.drain(..)
    }
}

impl std::ops::Deref for Transitions {
    type Target = [Transition];

    fn deref(&self) -> &[Transition] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_written_with_its_epoch_first() {
        assert_eq!(Version::new(3, 14).to_string(), "3.14");
    }
}
