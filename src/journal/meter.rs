//! Reads the counters of breakers into metric buckets.

use std::{collections::HashMap, time::Duration};

use super::{due::Due, watched::Watched};
use crate::{
    breaker::Breaker,
    circuit::State,
    name::ServiceName,
    store::{MetricBucket, RunId, Timestamp},
};

/// By how much the wall clock may go back while buckets keep their time, so that none is begun
/// twice. A clock that was further ahead was wrong.
const HELD_BACK: Duration = Duration::from_secs(60 * 60);

/// The breakers that are counted, and the buckets that are due.
#[derive(Debug)]
pub(super) struct Meter {
    run: RunId,
    watched: HashMap<ServiceName, Watched>,
    max_services: usize,
    refused: u64,
    due: Due,
    now: Timestamp,
}

impl Meter {
    pub(super) fn new(run: RunId, max_services: usize, max_buckets: usize) -> Self {
        Self {
            run,
            watched: HashMap::new(),
            max_services,
            refused: 0,
            due: Due::new(max_buckets),
            now: Timestamp::EPOCH,
        }
    }

    /// Counts the calls of a breaker from now on, in place of another one of its name. Returns
    /// whether there was room.
    pub(super) fn watch(&mut self, breaker: &Breaker, wall: Timestamp) -> bool {
        let now = self.advance(wall);
        let is_full = self.watched.len() >= self.max_services;
        match self.watched.get_mut(breaker.service()) {
            Some(watched) if watched.is_of(breaker) => return true,
            Some(watched) => {
                watched.replace(breaker, now, &mut self.due);
                return true;
            }
            None if is_full => {
                self.refused += 1;
                return false;
            }
            None => {}
        }
        self.watched.insert(breaker.service().clone(), Watched::new(breaker, self.run, now));
        true
    }

    /// Notes a state change of a breaker that may be counted.
    pub(super) fn note_state(&mut self, service: &ServiceName, state: State, at: Timestamp) {
        if let Some(watched) = self.watched.get_mut(service) {
            watched.note_state(state, at);
        }
    }

    /// Reads all breakers, and lets go those that are gone and whose hour has ended: a new breaker of
    /// the name adds to their figures until then.
    pub(super) fn read(&mut self, wall: Timestamp, mut rejected: impl FnMut(&ServiceName, u64)) {
        let now = self.advance(wall);
        let due = &mut self.due;
        self.watched.retain(|_, watched| {
            watched.read(now, due);
            if let Some((service, count)) = watched.take_rejections() {
                rejected(service, count);
            }
            watched.is_of_use(now)
        });
    }

    /// Makes all figures due, also of stretches that have not ended.
    pub(super) fn write_all(&mut self) {
        for watched in self.watched.values_mut() {
            watched.write(&mut self.due);
        }
    }

    pub(super) fn take_due(&mut self, at_most: usize) -> Vec<MetricBucket> {
        self.due.take(at_most)
    }

    pub(super) fn due(&self) -> usize {
        self.due.len()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.due.dropped()
    }

    pub(super) fn services(&self) -> usize {
        self.watched.values().filter(|watched| watched.is_there()).count()
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    fn advance(&mut self, wall: Timestamp) -> Timestamp {
        let went_back = self.now.since(wall);
        if went_back.is_zero() || went_back > HELD_BACK {
            self.now = wall;
        }
        self.now
    }
}
