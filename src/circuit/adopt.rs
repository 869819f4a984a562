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
    /// does not weaken what this circuit decided since; two openings merge, the later end wins; a
    /// round of this circuit gives way to another process's, so that its late results decide
    /// nothing; under an override the state is only remembered. A state other than closed, open and
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
        let gives_way = state == State::HalfOpen && self.is_probing();
        if !gives_way && (state == here || (state == known && strength(here) >= strength(state))) {
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

    /// Notes that what is shared is now `state` at `version`, as this circuit proposed it.
    ///
    /// [`adopt`](Self::adopt) takes over what others decided and may change what is in force; this
    /// changes neither state nor generation, only what later adoptions are compared with. The
    /// version of the circuit is at least `version` from then on. A version that is not newer than
    /// the last shared one is ignored, and so is a state other than closed, open and half-open.
    pub fn committed(&mut self, state: State, version: Version) {
        let known = self.shared.is_some_and(|(shared, _)| version <= shared);
        if !known && !state.is_override() {
            self.shared = Some((version, state));
            self.version = self.version.max(version);
        }
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

    /// Lets the probes of a round under a grant be admitted until `deadline`, if that is later: the
    /// coordinator renewed its lease. Returns whether there is such a round.
    pub fn extend_grant(&mut self, deadline: Moment) -> bool {
        match &mut self.phase {
            Phase::HalfOpen(probes) => probes.extend(deadline),
            Phase::Closed | Phase::Open { .. } => false,
        }
    }

    /// Whether the half-open round is this circuit's own, not another process's.
    #[must_use]
    pub fn is_probing(&self) -> bool {
        matches!(&self.phase, Phase::HalfOpen(probes) if probes.permitted > 0)
    }

    /// Opens a closed circuit for what its fleet has seen together: see
    /// [`TripReason::FleetFailureRate`]. Returns whether it did: not in another state, and not where
    /// an override is in force.
    pub fn trip(&mut self, reason: TripReason, now: Moment, out: &mut Transitions) -> bool {
        let closed = self.state() == State::Closed;
        if closed {
            self.open(reason, now, 0, out);
        }
        closed
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::circuit::{Admission, Command, Outcome, Refusal, Settings};

    const START: Moment = Moment::from_nanos(1_000_000_000_000);

    fn circuit() -> Circuit {
        let settings = Settings::builder().failure_threshold(1).jitter(0.0).build().unwrap();
        Circuit::new(Arc::new(settings), 0)
    }

    fn recorded(state: State, elapsed: u64, open_for: u64) -> Adoption {
        Adoption {
            state,
            elapsed: Duration::from_secs(elapsed),
            open_for: Duration::from_secs(open_for),
            reopens: 2,
            version: Version::new(3, 4),
        }
    }

    fn refusal(admission: Admission) -> Refusal {
        match admission {
            Admission::Refused(refusal) => refusal,
            Admission::Admitted { .. } => panic!("admitted"),
        }
    }

    #[test]
    fn a_restored_opening_has_the_time_left_and_is_clamped() {
        for (state, elapsed, left) in [
            (State::Open, 10, 30),
            (State::Open, 0, 40),
            // The clock has jumped: nothing is left, not less.
            (State::Open, 90_000, 0),
            // Somebody probed when it was recorded: that round is over.
            (State::HalfOpen, 10, 0),
        ] {
            let mut circuit = circuit();
            circuit.restore(recorded(state, elapsed, 40), START, &mut Transitions::new());
            assert_eq!(circuit.state(), State::Open);
            let (since, until) = circuit.open_period().unwrap();
            assert_eq!(until, START + Duration::from_secs(left), "{state} {elapsed}");
            assert_eq!(until.since(since), Duration::from_secs(40));
            assert_eq!((circuit.reopens(), circuit.version()), (2, Version::new(3, 4)));
            assert_eq!(circuit.trip_reason(), Some(TripReason::Adopted));
        }
    }

    #[test]
    fn a_restored_record_wins_over_what_was_adopted_before() {
        let mut circuit = circuit();
        let newer = Adoption { version: Version::new(9, 9), ..recorded(State::Closed, 0, 0) };
        assert!(circuit.adopt(newer, START, &mut Transitions::new()));
        circuit.restore(recorded(State::Open, 0, 40), START, &mut Transitions::new());
        assert_eq!(circuit.state(), State::Open);
    }

    #[test]
    fn only_what_is_newer_and_matters_says_that_somebody_has_to_look() {
        let mut circuit = circuit();
        let mut out = Transitions::new();
        let open = recorded(State::Open, 0, 40);
        assert!(circuit.adopt(open, START, &mut out));
        assert!(!circuit.adopt(open, START, &mut out), "the same version");
        let forced = Adoption { version: Version::new(8, 0), ..recorded(State::ForcedOpen, 0, 0) };
        assert!(!circuit.adopt(forced, START, &mut out), "overrides travel on their own");
        assert_eq!(circuit.version(), open.version);
        assert_eq!(out.len(), 1);
    }

    #[test]
    fn what_was_committed_changes_only_what_adoptions_are_compared_with() {
        let mut circuit = circuit();
        let mut out = Transitions::new();
        circuit.adopt(recorded(State::Open, 0, 40), START, &mut out);
        circuit.reset(START, &mut out);
        out.drain().for_each(drop);
        let (generation, own) = (circuit.generation(), circuit.version());
        circuit.committed(State::Closed, own);
        assert_eq!((circuit.generation(), circuit.version()), (generation, own));
        // The peer has not seen it, and what it says is old.
        circuit.adopt(recorded(State::Open, 0, 40), START, &mut out);
        assert_eq!((circuit.state(), out.len()), (State::Closed, 0));
        // A shared state that was proposed here does not weaken what was decided since.
        let Admission::Admitted { generation } = circuit.admit(START, &mut out) else { panic!() };
        circuit.record(generation, Outcome::FAILURE, Duration::ZERO, START, &mut out);
        let closed = Adoption { version: Version::new(3, 9), ..recorded(State::Closed, 0, 0) };
        circuit.adopt(closed, START, &mut out);
        assert_eq!(circuit.state(), State::Open);
    }

    /// Without the commit the second adoption would be no news.
    #[test]
    fn a_peer_that_changes_what_was_committed_is_followed() {
        let mut circuit = circuit();
        let mut out = Transitions::new();
        let Admission::Admitted { generation } = circuit.admit(START, &mut out) else { panic!() };
        circuit.record(generation, Outcome::FAILURE, Duration::ZERO, START, &mut out);
        circuit.committed(State::Open, Version::new(0, 1));
        let closed = Adoption { version: Version::new(0, 2), ..recorded(State::Closed, 0, 0) };
        assert!(circuit.adopt(closed, START, &mut out));
        assert_eq!(circuit.state(), State::Closed);
    }

    #[test]
    fn a_commit_raises_the_version_and_never_lowers_it() {
        let mut circuit = circuit();
        for (state, committed, version) in [
            (State::Closed, Version::new(2, 0), Version::new(2, 0)),
            (State::Closed, Version::new(2, 0), Version::new(2, 0)),
            (State::ForcedOpen, Version::new(4, 0), Version::new(2, 0)),
            (State::Closed, Version::new(1, 9), Version::new(2, 0)),
            (State::Closed, Version::new(3, 1), Version::new(3, 1)),
        ] {
            circuit.committed(state, committed);
            assert_eq!(circuit.version(), version);
        }
        circuit.reset(START, &mut Transitions::new());
        circuit.reset(START, &mut Transitions::new());
        circuit.committed(State::Closed, Version::new(3, 2));
        assert_eq!(circuit.version(), Version::new(3, 3), "two resets ahead of what was written");
    }

    #[test]
    fn the_end_that_is_later_brings_its_reopens_and_an_equal_one_does_not() {
        let mut circuit = circuit();
        let mut out = Transitions::new();
        circuit.adopt(recorded(State::Open, 0, 40), START, &mut out);
        let again = |open_for, reopens, counter| Adoption {
            reopens,
            version: Version::new(3, counter),
            ..recorded(State::Open, 0, open_for)
        };
        circuit.adopt(again(40, 7, 5), START, &mut out);
        assert_eq!(circuit.reopens(), 2);
        circuit.adopt(again(41, 8, 6), START, &mut out);
        assert_eq!(circuit.reopens(), 8);
    }

    #[test]
    fn a_shared_state_that_is_told_again_does_not_weaken_this_circuit() {
        for (shared, here, then) in [
            (State::Closed, State::Open, State::Open),
            (State::HalfOpen, State::Open, State::Open),
            (State::HalfOpen, State::Closed, State::HalfOpen),
            (State::Open, State::Closed, State::Open),
        ] {
            let mut circuit = circuit();
            let mut out = Transitions::new();
            circuit.adopt(recorded(shared, 0, 40), START, &mut out);
            circuit.reset(START, &mut out);
            if here == State::Open {
                let Admission::Admitted { generation } = circuit.admit(START, &mut out) else {
                    panic!("a closed circuit admits")
                };
                circuit.record(generation, Outcome::FAILURE, Duration::ZERO, START, &mut out);
            }
            assert_eq!(circuit.state(), here);
            let again = Adoption { version: Version::new(4, 0), ..recorded(shared, 0, 40) };
            circuit.adopt(again, START, &mut out);
            assert_eq!(circuit.state(), then, "{shared} is told to {here}");
        }
    }

    #[test]
    fn a_grant_that_is_declined_is_asked_for_again() {
        let mut circuit = circuit();
        let mut out = Transitions::new();
        circuit.set_gate(Gate::Granted);
        let Admission::Admitted { generation } = circuit.admit(START, &mut out) else { panic!() };
        circuit.record(generation, Outcome::FAILURE, Duration::ZERO, START, &mut out);
        let later = START + Duration::from_secs(60);
        let asks =
            |circuit: &mut Circuit| refusal(circuit.admit(later, &mut Transitions::new())).command;
        assert_eq!(asks(&mut circuit), Some(Command::RequestGrant));
        assert_eq!(asks(&mut circuit), None);
        circuit.decline_grant();
        assert_eq!(asks(&mut circuit), Some(Command::RequestGrant));
    }

    #[test]
    fn a_grant_needs_a_budget_a_time_ahead_and_a_circuit_that_waits() {
        let later = START + Duration::from_secs(60);
        let grant = Grant { token: 1, budget: 1, deadline: later + Duration::from_secs(1) };
        let granted = |gate, grant: Grant, at| {
            let mut circuit = circuit();
            let mut out = Transitions::new();
            circuit.set_gate(gate);
            circuit.adopt(recorded(State::Open, 0, 60), START, &mut out);
            circuit.grant(grant, at, &mut out)
        };
        assert!(granted(Gate::Granted, grant, later));
        assert!(!granted(Gate::Local, grant, later));
        assert!(!granted(Gate::Granted, Grant { budget: 0, ..grant }, later));
        assert!(!granted(Gate::Granted, Grant { deadline: later, ..grant }, later));
        assert!(!granted(Gate::Granted, grant, later.before(Duration::from_nanos(1))));
    }
}
