//! What a state change of a circuit means for the store.

use std::time::Duration;

use super::{
    backlog::{Change, What},
    circuits::Found,
    dirty::Opening,
    lease::{UNUSED_LEASES, unused_leases},
    merge::StateChange,
    propose::{figures, state_lane},
    quorum::{FAILED_HOLDERS, Failed, failed},
    shared::Shared,
};
use crate::{
    breaker::Breaker,
    circuit::{Moment, Reason, State, Transition, TripReason},
    store::{ChangeId, CircuitRecord, Extra, Lane, bounded_text},
};

impl Shared {
    /// The change that a transition of a circuit proposes, if it does.
    ///
    /// Half-open rounds are written when they are leased, or not at all; what a circuit that is open
    /// here alone does is a vote.
    pub(super) fn state_change(
        &self,
        breaker: &Breaker,
        transition: &Transition,
    ) -> Option<StateChange> {
        let service = breaker.service();
        let Some(quorum) = self.gates.scope(service).quorum() else {
            if let Some(record) = &self.record {
                record(service, transition);
            }
            return None;
        };
        let (from, to) = (transition.from, transition.to);
        if to == State::HalfOpen || is_end_of_peers_round(transition) {
            return None;
        }
        let lease = if from == State::HalfOpen { self.leases.take(service) } else { None };
        let forced = transition.reason == Reason::Reset;
        let known = self.mirror.get(service);
        let record = known.as_ref().and_then(|known| known.record());
        let shared = record.map_or(State::Closed, |record| record.state.state);
        if quorum > 1 && shared == State::Closed && lease.is_none() && !forced {
            self.vote(breaker);
            return None;
        }
        let mut change = StateChange {
            // A round that was not leased was not written: the circuit is still open for all.
            from: if from == State::HalfOpen && lease.is_none() { State::Open } else { from },
            lane: state_lane(&breaker.snapshot(), breaker, transition, |since| {
                self.wall().before(since)
            }),
            age: Duration::ZERO,
            forced,
            lease,
            about: None,
            extra: Extra::new(),
        };
        if let Some(record) = record {
            self.end_round(record, quorum, &mut change);
        }
        Some(change)
    }

    /// What a leased round came to, for all: a failed one of a quorum passes the lease on.
    pub(super) fn end_round(&self, record: &CircuitRecord, quorum: u32, change: &mut StateChange) {
        if change.lease.is_some()
            && change.lane.state == State::Open
            && let Failed::PassOn(holders) = failed(&record.extra, self.run, quorum)
        {
            change.lane.open_for = Duration::ZERO;
            change.lane.reopens = record.state.reopens;
            change.extra.insert(FAILED_HOLDERS.to_owned(), holders);
            return;
        }
        let used = change.lease.is_some() || change.lane.state == State::Closed;
        begin_anew(record, used, &mut change.extra);
    }

    /// The change that closes a circuit for all once its override is lifted.
    pub(super) fn lifted(&self, breaker: &Breaker, at: Moment) -> Option<Change> {
        let service = breaker.service();
        let quorum = self.gates.scope(service).quorum()?;
        let known = self.mirror.get(service)?;
        let record = known.record()?;
        let from = record.state.state;
        if from == State::Closed {
            return None;
        }
        let mut lane = figures(&breaker.snapshot(), breaker);
        lane.change_id = ChangeId::random();
        lane.reason = Some("an override was lifted".to_owned());
        let mut change = StateChange {
            from,
            lane,
            age: Duration::ZERO,
            forced: true,
            lease: None,
            about: None,
            extra: Extra::new(),
        };
        self.end_round(record, quorum, &mut change);
        Some(Change {
            what: What::State(Box::new(change)),
            event: (self.ids)(),
            at,
            from,
            to: State::Closed,
            generation: None,
            reason: Reason::OverrideLifted.as_str(),
            detail: Reason::OverrideLifted.to_string(),
            unanswered: None,
        })
    }

    /// What has to be so whenever circuit and store are as they should be to each other: who lets
    /// probes through, and whether this process votes.
    pub(super) fn arrange(&self, found: &Found) {
        self.regate(found);
        let service = found.breaker.service();
        if self.gates.scope(service).quorum().is_some_and(|quorum| quorum > 1) {
            let known = self.mirror.get(service);
            let record = known.as_ref().and_then(|known| known.record());
            if record.is_none_or(|record| record.state.state == State::Closed) {
                self.vote(&found.breaker);
            } else {
                self.votes.withdraw(service);
            }
        }
    }

    /// Says, or takes back, that a circuit is open here.
    pub(super) fn vote(&self, breaker: &Breaker) {
        let service = breaker.service();
        let here = breaker.underlying();
        if here.state == State::Closed {
            self.votes.withdraw(service);
            return;
        }
        let known = self.mirror.get(service).and_then(|known| known.stored);
        let version = known.map(|known| known.version(Lane::State)).unwrap_or_default();
        if here.state == State::Open || self.votes.version(service) != Some(version) {
            self.votes.vote(service, version, here.open_for);
        }
    }

    /// The change that a quorum decided.
    pub(super) fn quorum_change(&self, breaker: &Breaker, opening: Opening) -> Change {
        let Opening { votes, quorum, open_for, version } = opening;
        let why = TripReason::Quorum { votes, quorum };
        let mut lane = figures(&breaker.snapshot(), breaker);
        lane.change_id = ChangeId::random();
        lane.state = State::Open;
        lane.open_for = open_for;
        lane.reason = Some(bounded_text(&why.to_string()));
        Change {
            what: What::State(Box::new(StateChange {
                from: State::Closed,
                lane,
                age: Duration::ZERO,
                forced: false,
                lease: None,
                about: Some(version),
                extra: Extra::new(),
            })),
            event: (self.ids)(),
            at: self.clock.now(),
            from: State::Closed,
            to: State::Open,
            generation: None,
            reason: why.as_str(),
            detail: why.to_string(),
            unanswered: None,
        }
    }
}

/// Whether a circuit has only stopped to wait for another process's round.
fn is_end_of_peers_round(transition: &Transition) -> bool {
    matches!(transition.reason, Reason::Tripped(TripReason::HalfOpenExpired { permitted: 0, .. }))
}

/// Sets back what a record counts, once it is over.
fn begin_anew(record: &CircuitRecord, used: bool, extra: &mut Extra) {
    if used && unused_leases(record) > 0 {
        extra.insert(UNUSED_LEASES.to_owned(), 0.into());
    }
    if record.extra.get(FAILED_HOLDERS).is_some_and(|holders| *holders != serde_json::json!([])) {
        extra.insert(FAILED_HOLDERS.to_owned(), serde_json::json!([]));
    }
}
