//! What a circuit has still to commit.

use std::collections::VecDeque;

use super::merge::StateChange;
use crate::{
    circuit::{Moment, State, Version},
    store::{ChangeId, EventId, Lane, OverrideLane, SettingsLane, Stored},
};

/// How many changes of one circuit wait at most while the store is down.
const CAPACITY: usize = 32;

/// The changes of a circuit that are not committed, oldest first.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    changes: VecDeque<Change>,
    /// The newest transition of the circuit was taken over from a peer.
    pub(super) follows_peer: bool,
    /// The circuit's record cannot be read: the changes wait until it can.
    pub(super) blocked: bool,
}

/// A change that is to be committed. Its ids are drawn once, so that a second try of one that was
/// taken is known to be that.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) what: What,
    pub(super) event: EventId,
    /// When it happened.
    pub(super) at: Moment,
    pub(super) from: State,
    pub(super) to: State,
    pub(super) generation: Option<u64>,
    /// Why, in one word and in a sentence.
    pub(super) reason: &'static str,
    pub(super) detail: String,
    /// The version that it was last proposed as, if the store has not told what came of that.
    pub(super) unanswered: Option<Version>,
}

impl Change {
    /// Draws its ids anew, since the write under the old ones may have been taken.
    pub(super) fn renew(&mut self, event: EventId) {
        self.event = event;
        self.unanswered = None;
        let change_id = match &mut self.what {
            What::State(change) => &mut change.lane.change_id,
            What::Override(lane) => &mut lane.change_id,
            What::Settings(lane) => &mut lane.change_id,
        };
        *change_id = ChangeId::random();
    }

    /// Whether it is made whatever the store has.
    pub(super) fn is_forced(&self) -> bool {
        match &self.what {
            What::State(change) => change.forced,
            What::Override(_) | What::Settings(_) => true,
        }
    }
}

/// The lane that a change writes, but for its version.
#[derive(Clone, Debug)]
pub(super) enum What {
    State(Box<StateChange>),
    Override(OverrideLane),
    Settings(SettingsLane),
}

impl What {
    pub(super) fn lane(&self) -> Lane {
        match self {
            Self::State(_) => Lane::State,
            Self::Override(_) => Lane::Override,
            Self::Settings(_) => Lane::Settings,
        }
    }

    /// Whether what a store has was written by this change.
    pub(super) fn wrote(&self, stored: &Stored) -> bool {
        let change_id = match self {
            Self::State(change) => change.lane.change_id,
            Self::Override(lane) => lane.change_id,
            Self::Settings(lane) => lane.change_id,
        };
        matches!(stored, Stored::Record(record) if record.change_id(self.lane()) == change_id)
    }
}

impl Backlog {
    /// Adds a change. Returns whether another one had to give way: the oldest state change that the
    /// circuit made by itself, since what matters is where it is now.
    pub(super) fn push(&mut self, change: Change) -> bool {
        self.changes.push_back(change);
        if self.changes.len() <= CAPACITY {
            return false;
        }
        let oldest = self.changes.iter().position(|change| !change.is_forced()).unwrap_or(0);
        self.changes.remove(oldest);
        true
    }

    pub(super) fn front(&mut self) -> Option<&mut Change> {
        self.changes.front_mut()
    }

    pub(super) fn pop(&mut self) {
        self.changes.pop_front();
    }

    /// Whether there is something among them that people set.
    pub(super) fn has_orders(&self) -> bool {
        self.changes.iter().any(|change| !matches!(change.what, What::State(_)))
    }

    /// Whether there is a change of that lane among them.
    pub(super) fn has(&self, lane: Lane) -> bool {
        self.changes.iter().any(|change| change.what.lane() == lane)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
