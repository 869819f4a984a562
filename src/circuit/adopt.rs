//! What other processes decide: taking over a state, and leave to probe.

use std::time::Duration;

use super::{
    admission::Grant,
    machine::{Circuit, Phase},
    moment::Moment,
    probes::Probes,
    reason::{Reason, TripReason},
    state::{Gate, State},
    transition::{Origin, Transitions, Version},
    window::Counts,
};

/// A state that another process decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// Closed, open or half-open. Half-open means that another process probes.
    pub state: State,
    /// How long the state has been in force.
    pub elapsed: Duration,
    /// How long an open circuit stays open, from its start.
    pub open_for: Duration,
    /// Recoveries that failed in a row.
    pub reopens: u32,
    /// The version of the state.
    pub version: Version,
}

impl Circuit {
    /// Takes over what another process decided. Returns whether a state changed or an open time
    /// was moved, so that whoever waits has to look again.
    ///
    /// What is in force is the strongest of local state, shared state and override: a version that
    /// is not newer than the last adopted one is ignored; a shared state that has not changed since
    /// does not weaken what this circuit decided since; two openings merge, the later end wins;
    /// under an override the state is only remembered. A state other than closed, open and
    /// half-open is ignored, since overrides travel on their own.
    pub fn adopt(&mut self, adoption: Adoption, now: Moment, out: &mut Transitions) -> bool {
        let Adoption { state, elapsed, open_for, reopens, version } = adoption;
        let last = self.shared;
        if state.is_override() || last.is_some_and(|(adopted, _)| version <= adopted) {
            return false;
        }
        self.shared = Some((version, state));
        self.version = version;
        if self.override_.is_some() {
            return false;
        }
        self.grant_requested = false;
        let known = last.map_or(State::Closed, |(_, state)| state);
        let here = self.phase.state();
        let since = now.before(elapsed);
        // Not `since + open_for`: the opening may be older than the clock's origin.
        let until = match open_for.checked_sub(elapsed) {
            Some(left) => now + left,
            None => now.before(elapsed - open_for),
        };

        if let (State::Open, Phase::Open { until: end, .. }) = (state, &mut self.phase) {
            if until > *end {
                *end = until;
                self.reopens = reopens;
            }
            return true;
        }
        if state == here || (state == known && strength(here) >= strength(state)) {
            return true;
        }
        let phase = match state {
            State::Open => {
                self.trip = Some(TripReason::Adopted);
                Phase::Open { since, until, counts: Counts::default() }
            }
            State::HalfOpen => Phase::HalfOpen(Probes::new(since, 0, Moment::ZERO)),
            _ => {
                self.trip = None;
                Phase::Closed
            }
        };
        self.reopens = if state == State::Closed { 0 } else { reopens };
        self.step(phase, Reason::Adopted, Origin::Peer, now, out);
        self.version = version;
        true
    }

    /// Takes up a recorded state at start-up, whatever the version of this circuit.
    ///
    /// An open time is clamped: what is left is between nothing and all of `open_for`, however the
    /// clocks moved meanwhile. A half-open round that was recorded is over: the circuit is open with
    /// no time left, and the next call that asks is a probe.
    pub fn restore(&mut self, adoption: Adoption, now: Moment, out: &mut Transitions) {
        let (state, elapsed) = match adoption.state {
            State::HalfOpen => (State::Open, adoption.open_for),
            state => (state, adoption.elapsed.min(adoption.open_for)),
        };
        self.shared = None;
        self.adopt(Adoption { state, elapsed, ..adoption }, now, out);
    }

    /// Begins a half-open round under a coordinator's leave. Returns whether it did.
    ///
    /// It does where the circuit waits for one: open, its time over, [`Gate::Granted`], and the
    /// grant's deadline ahead.
    pub fn grant(&mut self, grant: Grant, now: Moment, out: &mut Transitions) -> bool {
        let Phase::Open { until, .. } = self.phase else { return false };
        let waits = self.gate == Gate::Granted && self.override_.is_none() && now >= until;
        if !waits || grant.budget == 0 || now >= grant.deadline {
            return false;
        }
        self.half_open(Probes::new(now, grant.budget, grant.deadline), Reason::Granted, out);
        true
    }

    /// Answers a request for a grant with no; the next call that asks makes the circuit ask again.
    pub fn decline_grant(&mut self) {
        self.grant_requested = false;
    }
}

/// How much a state holds back.
fn strength(state: State) -> u8 {
    match state {
        State::Open => 2,
        State::HalfOpen => 1,
        _ => 0,
    }
}
