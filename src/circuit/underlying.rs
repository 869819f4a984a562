//! What a circuit would be without its override.

use std::time::Duration;

use super::{
    machine::{Circuit, Phase},
    moment::Moment,
    state::State,
    transition::Version,
};

/// The state of a circuit under its override, as a coordinator writes it to a shared store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Underlying {
    /// Closed, open or half-open.
    pub state: State,
    /// How long the circuit has been open or half-open; zero while closed, which keeps no time. An
    /// opening that is older than the origin of the clock is as old as that.
    pub elapsed: Duration,
    /// How long an open circuit stays open, from its start; zero in other states.
    pub open_for: Duration,
    /// Recoveries that failed in a row.
    pub reopens: u32,
    /// The version of the state.
    pub version: Version,
}

impl Circuit {
    /// The state under the override, which is closed while there is one: an override clears what it
    /// is set over. Reading it changes nothing.
    #[must_use]
    pub fn underlying(&self, now: Moment) -> Underlying {
        let (elapsed, open_for) = match &self.phase {
            Phase::Closed => (Duration::ZERO, Duration::ZERO),
            Phase::Open { since, until, .. } => (now.since(*since), until.since(*since)),
            Phase::HalfOpen(probes) => (now.since(probes.entered), Duration::ZERO),
        };
        Underlying {
            state: self.phase.state(),
            elapsed,
            open_for,
            reopens: self.reopens,
            version: self.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::circuit::{Admission, Outcome, Override, Settings, Transitions};

    const START: Moment = Moment::from_nanos(1_000_000_000_000);

    fn after(seconds: u64) -> Moment {
        START + Duration::from_secs(seconds)
    }

    /// A circuit that opened twice, at the start and after 60 s.
    fn reopened() -> Circuit {
        let settings = Settings::builder().failure_threshold(1).jitter(0.0).build().unwrap();
        let mut circuit = Circuit::new(Arc::new(settings), 0);
        let mut out = Transitions::new();
        for now in [START, after(60)] {
            for _ in 0..2 {
                if let Admission::Admitted { generation } = circuit.admit(now, &mut out) {
                    let spent = Duration::ZERO;
                    circuit.record(generation, Outcome::FAILURE, spent, now, &mut out);
                }
            }
        }
        circuit
    }

    #[test]
    fn each_state_is_told_with_its_age() {
        let mut circuit = reopened();
        let open = circuit.underlying(after(63));
        assert_eq!((open.state, open.reopens), (State::Open, 1));
        assert_eq!((open.elapsed, open.open_for.as_secs()), (Duration::from_secs(3), 120));
        assert_eq!((open.version, circuit.version()), (Version::new(0, 3), Version::new(0, 3)));

        let _ = circuit.admit(after(180), &mut Transitions::new());
        let half_open = circuit.underlying(after(185));
        assert_eq!((half_open.state, half_open.reopens), (State::HalfOpen, 1));
        assert_eq!(half_open.elapsed, Duration::from_secs(5));
        assert_eq!(half_open.open_for, Duration::ZERO);

        circuit.reset(after(190), &mut Transitions::new());
        let closed = circuit.underlying(after(200));
        assert_eq!((closed.state, closed.reopens), (State::Closed, 0));
        assert_eq!((closed.elapsed, closed.open_for), (Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn a_clock_that_went_backwards_is_no_age() {
        assert_eq!(reopened().underlying(START).elapsed, Duration::ZERO);
    }

    #[test]
    fn an_override_is_not_what_it_covers() {
        let mut circuit = reopened();
        circuit.set_override(Override::ForcedOpen, after(61), &mut Transitions::new());
        assert_eq!(circuit.state(), State::ForcedOpen);
        assert_eq!(circuit.underlying(after(62)).state, State::Closed);
    }
}
