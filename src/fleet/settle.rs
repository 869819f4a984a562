//! Commits what a circuit did.

use std::time::Duration;

use super::{
    backlog::{Backlog, Change, What},
    circuits::Found,
    dirty::Mark,
    merge::{Basis, StateChange, Step, override_step, settings_step, state_step},
    shared::Shared,
};
use crate::{
    breaker::ServiceName,
    circuit::{Gate, State, Version},
    store::{CircuitRecord, EventKind, EventRecord, Lane, StoreError, Stored},
};

/// How often a change is proposed again that lost a race but still stands.
const REBASES: u32 = 64;
/// How often a circuit that goes on changing is looked at in one go.
const ROUNDS: u32 = 8;

/// The key in a record that says that its circuit is one of many whose names come from outside.
pub(super) const KEYED: &str = "keyed";

/// What is left after a circuit was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Circuit and store agree.
    Agreed,
    /// The circuit changes faster than the store takes it.
    Again,
    /// The record cannot be read, and is not written over.
    Blocked,
}

impl Shared {
    /// Commits what a circuit did since it was last settled, oldest first, and takes over what the
    /// store has instead where that came first.
    ///
    /// An error leaves the changes that are not committed in the backlog. Where it ends, the circuit
    /// has the gate that it should have as things stand.
    pub(super) async fn settle(
        &self,
        service: &ServiceName,
        mark: Mark,
        backlog: &mut Backlog,
    ) -> Result<Settled, StoreError> {
        let Some(found) = self.circuits.find(service) else {
            // A keyed circuit that was let go: nobody is left to commit for.
            *backlog = Backlog::default();
            return Ok(Settled::Agreed);
        };
        self.collect(&found, mark, backlog);
        self.put_back(&found, backlog);
        backlog.blocked = false;
        for _ in 0..ROUNDS {
            while let Some(change) = backlog.front() {
                if let Err(error) = self.commit(&found, change).await {
                    let StoreError::Corrupt { .. } = error else { return Err(error) };
                    self.complain(&error);
                    backlog.blocked = true;
                    // Nobody can lease what cannot be read.
                    found.breaker.set_gate(Gate::Local);
                    return Ok(Settled::Blocked);
                }
                backlog.pop();
            }
            if found.breaker.has_changes() {
                self.collect(&found, Mark::default(), backlog);
            } else {
                // Nothing of its own is left that has to come first.
                self.obey(&found);
                self.follow(&found);
                let Some(change) = self.difference(&found, backlog.follows_peer) else {
                    self.arrange(&found);
                    return Ok(Settled::Agreed);
                };
                backlog.push(change);
            }
        }
        Ok(Settled::Again)
    }

    // ===== commit =====

    /// Commits one change, or finds that it is lost or not needed.
    async fn commit(&self, found: &Found, change: &mut Change) -> Result<(), StoreError> {
        let service = found.breaker.service();
        let age = self.clock.now().since(change.at);
        for _ in 0..REBASES {
            let what = match &change.what {
                What::State(state) => {
                    What::State(Box::new(StateChange { age, ..(**state).clone() }))
                }
                other => other.clone(),
            };
            let lane = what.lane();
            if let Some(record) = self.mine(service, &what) {
                // The answer to an earlier try was lost.
                self.committed(found, record, lane);
                return Ok(());
            }
            let (expected, next) = match self.step(found, &what) {
                Step::Propose { expected, next } => (expected, next),
                Step::Done => return Ok(()),
                Step::Lost => {
                    self.counters.lost();
                    return Ok(());
                }
                Step::Fenced => {
                    self.counters.fenced();
                    return Ok(());
                }
            };
            let version = next.version(lane);
            if change.unanswered.is_some_and(|unanswered| version > unanswered) {
                // Others have written since. What was proposed before may be below that, committed.
                if !change.is_forced() {
                    self.counters.lost();
                    return Ok(());
                }
                change.renew((self.ids)());
                continue;
            }
            let event = self.event(service, change, self.replaced(service), version);
            let written = self.store.compare_and_swap(expected, &next, Some(&event));
            match self.in_time("compare_and_swap", written).await {
                Ok(committed) => {
                    let mut record = *next;
                    match lane {
                        Lane::State => record.state.version = committed.version,
                        Lane::Override => record.override_.version = committed.version,
                        Lane::Settings => record.settings.version = committed.version,
                    }
                    self.committed(found, Stored::Record(record), lane);
                    return Ok(());
                }
                Err(StoreError::Conflict { current }) => {
                    let current = current.map(|current| *current);
                    if !current.as_ref().is_some_and(|current| what.wrote(current)) {
                        self.counters.conflict();
                    }
                    self.met(service, current);
                }
                Err(error @ StoreError::Invalid { .. }) => {
                    self.counters.refused();
                    self.complaints.refused(service, &error);
                    return Ok(());
                }
                Err(error) => {
                    if error.is_unavailable() {
                        change.unanswered = Some(version);
                    }
                    return Err(error);
                }
            }
        }
        Err(StoreError::unavailable("compare_and_swap", "too many other writers"))
    }

    /// What the store has, if that is this very change.
    fn mine(&self, service: &ServiceName, what: &What) -> Option<Stored> {
        self.mirror.get(service)?.stored.filter(|stored| what.wrote(stored))
    }

    /// Notes what a proposal met in the store.
    pub(super) fn met(&self, service: &ServiceName, current: Option<Stored>) {
        match current {
            Some(current) => {
                self.mirror.goes_back(&current);
                self.mirror.learn(current, self.clock.now());
            }
            None => {
                self.mirror.lose(service);
            }
        }
    }

    /// The state that a change of the state takes the place of.
    fn replaced(&self, service: &ServiceName) -> State {
        let known = self.mirror.get(service);
        known.and_then(|known| Some(known.record()?.state.state)).unwrap_or(State::Closed)
    }

    fn step(&self, found: &Found, what: &What) -> Step {
        let service = found.breaker.service();
        let known = self.mirror.get(service);
        let now = self.clock.now();
        let mut blank = CircuitRecord::new(service.clone());
        if found.keyed {
            blank.extra.insert(KEYED.to_owned(), true.into());
        }
        let basis = Basis {
            stored: known.as_ref().and_then(|known| known.stored.as_ref()),
            blank: &blank,
            since_read: known.as_ref().map_or(Duration::ZERO, |known| now.since(known.read_at)),
            highest: known.as_ref().map_or([Version::default(); 3], |known| known.highest()),
        };
        match what {
            What::State(change) => state_step(&basis, change),
            What::Override(lane) => override_step(&basis, lane),
            What::Settings(lane) => settings_step(&basis, lane),
        }
    }

    /// The store has what a circuit proposed.
    fn committed(&self, found: &Found, stored: Stored, lane: Lane) {
        self.counters.committed();
        let breaker = &found.breaker;
        self.mirror.learn(stored.clone(), self.clock.now());
        let Stored::Record(record) = stored else { return };
        // What people set is in force here already, or is told when all is committed.
        if lane == Lane::State {
            breaker.committed(record.state.state, record.state.version);
        }
    }

    fn event(
        &self,
        service: &ServiceName,
        change: &Change,
        replaced: State,
        version: Version,
    ) -> EventRecord {
        let kind = match change.what {
            What::State(_) => EventKind::StateChange,
            What::Override(_) => EventKind::Override,
            What::Settings(_) => EventKind::SettingsChange,
        };
        let at = self.wall().before(self.clock.now().since(change.at));
        let mut event = EventRecord::new(change.event, service.clone(), at, kind);
        // A state follows the one that the store had, so that the history is one chain.
        event.from = Some(match change.what {
            What::State(_) => replaced,
            What::Override(_) | What::Settings(_) => change.from,
        });
        event.to = Some(change.to);
        event.version = Some(version);
        event.reason = Some(change.reason.to_owned());
        event.generation = change.generation;
        event.data.insert("detail".to_owned(), change.detail.as_str().into());
        match &change.what {
            What::State(change) if change.lane.state == State::Open => {
                let micros = u64::try_from(change.lane.open_for.as_micros()).unwrap_or(u64::MAX);
                event.data.insert("open_for_micros".to_owned(), micros.into());
            }
            What::Override(lane) => {
                if let Some(by) = &lane.by {
                    event.data.insert("by".to_owned(), by.as_str().into());
                }
                if let Some(reason) = &lane.reason {
                    event.data.insert("because".to_owned(), reason.as_str().into());
                }
            }
            What::Settings(lane) => {
                if let Some(by) = &lane.by {
                    event.data.insert("by".to_owned(), by.as_str().into());
                }
                event.data.insert("changes".to_owned(), lane.changes.clone().into());
            }
            What::State(_) => {}
        }
        event
    }
}
