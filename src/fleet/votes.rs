//! The circuits that this process has opened for itself.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ahash::RandomState;
use tokio::sync::Notify;

use crate::{breaker::ServiceName, circuit::Version, store::Vote};

/// How many circuits a process votes on at most: its row in the store is bounded.
const MOST: usize = 256;

/// The votes of this process, for the one who tells the others.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    votes: Mutex<HashMap<ServiceName, Vote, RandomState>>,
    dirty: AtomicBool,
    changed: Notify,
}

impl Votes {
    /// Says that a circuit is open here, and would be for so long.
    pub(super) fn vote(&self, service: &ServiceName, version: Version, open_for: Duration) {
        let vote = Vote { service: service.clone(), version, open_for };
        let mut votes = self.lock();
        let full = votes.len() >= MOST && !votes.contains_key(service);
        if full || votes.get(service) == Some(&vote) {
            return;
        }
        votes.insert(service.clone(), vote);
        drop(votes);
        self.note();
    }

    /// The version that this process has voted about, if it has.
    pub(super) fn version(&self, service: &ServiceName) -> Option<Version> {
        self.lock().get(service).map(|vote| vote.version)
    }

    /// Says that a circuit is not open here any more, or that it is for all.
    pub(super) fn withdraw(&self, service: &ServiceName) {
        if self.lock().remove(service).is_some() {
            self.note();
        }
    }

    pub(super) fn all(&self) -> Vec<Vote> {
        self.lock().values().cloned().collect()
    }

    /// Whether they changed since this was last asked.
    pub(super) fn take_dirty(&self) -> bool {
        self.dirty.swap(false, Ordering::AcqRel)
    }

    /// Completes when they have changed. Cancel safe.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn note(&self) {
        self.dirty.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServiceName, Vote, RandomState>> {
        self.votes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
