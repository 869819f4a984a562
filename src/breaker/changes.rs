//! What a coordinator has to know: a flag and a small counted ring for each named breaker.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::circuit::{Command, Transition};

/// How many changes are kept for a coordinator that is late.
const CAPACITY: usize = 8;

/// Something that a coordinator has to act on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// The circuit changed its state, and proposes that to whoever shares it.
    Transition(Transition),
    /// The circuit asks for something.
    Command(Command),
}

/// The changes since a coordinator last took them.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Changes {
    /// The newest changes, oldest first, eight at most.
    pub newest: Vec<Change>,
    /// How many older ones were overwritten. What is in force is in the breaker's snapshot, so
    /// nothing that still matters is lost with them.
    pub overwritten: u64,
}

/// The changes that nobody has taken yet.
#[derive(Debug, Default)]
pub(crate) struct ChangeLog {
    kept: AtomicBool,
    dirty: AtomicBool,
    changes: Mutex<(VecDeque<Change>, u64)>,
}

impl ChangeLog {
    /// Begins to keep changes: there is a coordinator.
    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::Release);
    }

    pub(super) fn note(&self, transition: Transition) {
        self.push(Change::Transition(transition));
    }

    pub(super) fn request(&self, command: Command) {
        self.push(Change::Command(command));
    }

    fn push(&self, change: Change) {
        if !self.kept.load(Ordering::Acquire) {
            return;
        }
        let mut changes = self.lock();
        let (newest, overwritten) = &mut *changes;
        if newest.len() == CAPACITY {
            newest.pop_front();
            *overwritten += 1;
        }
        newest.push_back(change);
        self.dirty.store(true, Ordering::Release);
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    pub(super) fn take(&self) -> Changes {
        let mut changes = self.lock();
        self.dirty.store(false, Ordering::Release);
        let (newest, overwritten) = std::mem::take(&mut *changes);
        Changes { newest: newest.into(), overwritten }
    }

    fn lock(&self) -> MutexGuard<'_, (VecDeque<Change>, u64)> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
