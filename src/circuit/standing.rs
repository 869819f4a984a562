//! What a circuit would answer, without asking it.

use super::{
    machine::{Circuit, Phase},
    moment::Moment,
    state::{Override, State},
};

/// What a call that asks will meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Closed,
    MetricsOnly,
    Disabled,
    Open,
    HasProbes,
    NoProbeLeft,
    ProbedElsewhere,
    AwaitsGrant,
    ForcedOpen,
}

impl Standing {
    pub(crate) fn state(self) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::MetricsOnly => State::MetricsOnly,
            Self::Disabled => State::Disabled,
            Self::Open | Self::AwaitsGrant => State::Open,
            Self::HasProbes | Self::NoProbeLeft | Self::ProbedElsewhere => State::HalfOpen,
            Self::ForcedOpen => State::ForcedOpen,
        }
    }
}

impl Circuit {
    /// What a call that asks will meet, until the moment that is returned with it.
    pub(crate) fn standing(&self) -> (Standing, Moment) {
        match (self.override_, &self.phase) {
            (Some(Override::Disabled), _) => (Standing::Disabled, Moment::MAX),
            (Some(Override::MetricsOnly), _) => (Standing::MetricsOnly, Moment::MAX),
            (Some(Override::ForcedOpen), _) => (Standing::ForcedOpen, Moment::MAX),
            (None, Phase::Closed) => (Standing::Closed, Moment::MAX),
            (None, Phase::Open { .. }) if self.grant_requested => {
                (Standing::AwaitsGrant, Moment::MAX)
            }
            (None, Phase::Open { until, .. }) => (Standing::Open, *until),
            (None, Phase::HalfOpen(probes)) => {
                let standing = if probes.has_place() {
                    Standing::HasProbes
                } else if probes.permitted == 0 {
                    Standing::ProbedElsewhere
                } else {
                    Standing::NoProbeLeft
                };
                (standing, self.round_end(probes).unwrap_or(Moment::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::circuit::{Adoption, Gate, Outcome, Settings, Transitions, Version};

    const SECOND: Duration = Duration::from_secs(1);

    /// Opens at the first failure for a second; a round of two probes lasts a minute at most.
    fn circuit() -> Circuit {
        let settings = Settings::builder()
            .failure_threshold(1)
            .recovery_timeout(SECOND)
            .jitter(0.0)
            .permitted_calls_in_half_open(2)
            .max_wait_in_half_open(60 * SECOND);
        Circuit::new(settings.build().unwrap().into(), 0)
    }

    fn ask(circuit: &mut Circuit, now: Moment) {
        let _ = circuit.admit(now, &mut Transitions::new());
    }

    fn open(circuit: &mut Circuit) {
        let (generation, out) = (circuit.generation(), &mut Transitions::new());
        circuit.record(generation, Outcome::FAILURE, Duration::ZERO, Moment::ZERO, out);
    }

    #[test]
    fn a_circuit_says_what_a_call_will_meet_and_until_when() {
        let end = Moment::ZERO + SECOND;
        let round = end + 60 * SECOND;
        type Act = fn(&mut Circuit, Moment);
        let cases: [(Standing, Moment, Act); 9] = [
            (Standing::Closed, Moment::MAX, |_, _| {}),
            (Standing::Open, end, |circuit, _| open(circuit)),
            (Standing::HasProbes, round, |circuit, end| {
                open(circuit);
                ask(circuit, end);
            }),
            (Standing::NoProbeLeft, round, |circuit, end| {
                open(circuit);
                ask(circuit, end);
                ask(circuit, end);
            }),
            (Standing::ProbedElsewhere, round, |circuit, end| {
                let adoption = Adoption {
                    state: State::HalfOpen,
                    elapsed: Duration::ZERO,
                    open_for: Duration::ZERO,
                    reopens: 0,
                    version: Version::new(1, 0),
                };
                circuit.adopt(adoption, end, &mut Transitions::new());
            }),
            (Standing::AwaitsGrant, Moment::MAX, |circuit, end| {
                circuit.set_gate(Gate::Granted);
                open(circuit);
                ask(circuit, end);
            }),
            (Standing::ForcedOpen, Moment::MAX, |circuit, end| {
                circuit.set_override(Override::ForcedOpen, end, &mut Transitions::new());
            }),
            (Standing::Disabled, Moment::MAX, |circuit, end| {
                circuit.set_override(Override::Disabled, end, &mut Transitions::new());
            }),
            (Standing::MetricsOnly, Moment::MAX, |circuit, end| {
                circuit.set_override(Override::MetricsOnly, end, &mut Transitions::new());
            }),
        ];
        for (standing, until, act) in cases {
            let mut circuit = circuit();
            act(&mut circuit, end);
            assert_eq!(circuit.standing(), (standing, until));
            assert_eq!(standing.state(), circuit.state(), "{standing:?}");
        }
    }
}
