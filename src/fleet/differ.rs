//! What is to be done where a circuit and the store differ although nothing waits to be committed.

use std::time::Duration;

use super::{
    backlog::{Change, What},
    circuits::Found,
    merge::StateChange,
    propose::figures,
    shared::Shared,
};
use crate::{
    circuit::{Adoption, State},
    store::{ChangeId, Extra, bounded_text},
};

impl Shared {
    /// A change that makes the store agree with a circuit whose own changes are all committed, if
    /// they do not. It is needed where changes were overwritten before they were taken, for circuits
    /// that keep none, and where the store lost its record.
    pub(super) fn difference(&self, found: &Found, follows_peer: bool) -> Option<Change> {
        let breaker = &found.breaker;
        if breaker.override_in_force().is_some() {
            return None;
        }
        let service = breaker.service();
        let quorum = self.gates.scope(service).quorum()?;
        if breaker.has_changes() {
            return None;
        }
        let known = self.mirror.get(service);
        let record = known.as_ref().and_then(|known| known.record());
        let there = known.as_ref().map(|known| known.adoption(self.clock.now()));
        let state = there.map_or(State::Closed, |there| there.state);
        // Whoever has seen higher versions would not follow the store any more.
        let behind = known.as_ref().is_some_and(|known| known.is_behind());
        let mut here = breaker.underlying();
        if here.state == State::HalfOpen && behind {
            // The store lost the lease: whoever asks next takes another.
            self.leases.take(service);
            let over = Adoption {
                state: State::Open,
                elapsed: Duration::ZERO,
                open_for: Duration::ZERO,
                reopens: here.reopens,
                version: here.version,
            };
            breaker.restore(over);
            here = breaker.underlying();
        }
        // A round that is not leased is not written, and its end is.
        if (here.state == state && !behind) || breaker.is_probing() {
            return None;
        }
        let lease = if state == State::HalfOpen { self.leases.take(service) } else { None };
        let observes = state == State::HalfOpen && lease.is_none() && !behind;
        if observes && here.state == State::Open {
            return None;
        }
        if (follows_peer || observes || here.state == State::HalfOpen)
            && !behind
            && let Some(there) = there
        {
            // It followed one that was overtaken by a change of its own, or it decided in a round
            // that is another process's by now.
            breaker.restore(there);
            return None;
        }
        if quorum > 1 && state == State::Closed && !behind {
            return None;
        }
        let snapshot = breaker.snapshot();
        let now = self.clock.now();
        let mut lane = figures(&snapshot, breaker);
        lane.change_id = ChangeId::random();
        lane.state = here.state;
        lane.open_for = here.open_for;
        lane.reopens = here.reopens;
        let reason = snapshot.trip_reason.map_or("caught_up", |trip| trip.as_str());
        let detail = snapshot.trip_reason.map_or_else(
            || "the store was told what the circuit did before".to_owned(),
            |trip| trip.to_string(),
        );
        lane.reason = Some(bounded_text(&detail));
        let mut change = StateChange {
            from: state,
            lane,
            age: here.elapsed,
            forced: behind,
            lease,
            about: None,
            extra: Extra::new(),
        };
        if let Some(record) = record {
            self.end_round(record, quorum, &mut change);
        }
        Some(Change {
            what: What::State(Box::new(change)),
            event: (self.ids)(),
            at: now.before(here.elapsed),
            from: state,
            to: here.state,
            generation: Some(snapshot.generation),
            reason,
            detail,
            unanswered: None,
        })
    }
}
