//! Probes whose place is taken before their call is made.

use super::{
    machine::{Circuit, Phase},
    moment::Moment,
    transition::Transitions,
};

impl Circuit {
    /// The probe that was admitted last is only reserved: its call has not been made.
    pub(crate) fn reserve(&mut self) {
        if let Phase::HalfOpen(probes) = &mut self.phase {
            probes.reserved += 1;
        }
    }

    /// The call of a probe that was reserved is made.
    pub(crate) fn begin_reserved(&mut self) {
        if let Phase::HalfOpen(probes) = &mut self.phase {
            probes.reserved = probes.reserved.saturating_sub(1);
        }
    }

    /// The call of a probe that was reserved in this round is not made.
    pub(crate) fn return_reserved(&mut self, now: Moment, out: &mut Transitions) {
        self.handle_deadline(now, out);
        if let Phase::HalfOpen(probes) = &mut self.phase {
            probes.reserved = probes.reserved.saturating_sub(1);
            probes.return_place();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::circuit::{Admission, Outcome, Settings, State};

    const SECOND: Duration = Duration::from_secs(1);

    fn admitted(circuit: &mut Circuit, now: Moment) -> bool {
        matches!(circuit.admit(now, &mut Transitions::new()), Admission::Admitted { .. })
    }

    /// A circuit with one of two probes under way, in a round of a minute at most, and the time.
    fn probed() -> (Circuit, Moment) {
        let settings = Settings::builder()
            .failure_threshold(1)
            .recovery_timeout(SECOND)
            .jitter(0.0)
            .permitted_calls_in_half_open(2)
            .max_wait_in_half_open(60 * SECOND);
        let mut circuit = Circuit::new(settings.build().unwrap().into(), 0);
        let (generation, out) = (circuit.generation(), &mut Transitions::new());
        circuit.record(generation, Outcome::FAILURE, Duration::ZERO, Moment::ZERO, out);
        let now = Moment::ZERO + SECOND;
        assert!(admitted(&mut circuit, now));
        (circuit, now)
    }

    #[test]
    fn a_round_whose_probes_were_only_reserved_is_no_failed_recovery() {
        for (begun, reopens) in [(false, 0), (true, 1)] {
            let (mut circuit, now) = probed();
            circuit.reserve();
            if begun {
                circuit.begin_reserved();
            }
            let end = now + 60 * SECOND;
            circuit.handle_deadline(end, &mut Transitions::new());
            assert_eq!((circuit.state(), circuit.reopens()), (State::Open, reopens), "{begun}");
            let open_for = if begun { 2 * SECOND } else { Duration::ZERO };
            assert_eq!(circuit.open_period(), Some((end, end + open_for)), "{begun}");
        }
    }

    #[test]
    fn a_place_that_was_reserved_is_given_back_to_its_own_round_only() {
        let (mut circuit, now) = probed();
        circuit.reserve();
        assert!(admitted(&mut circuit, now), "the second probe");
        assert!(!admitted(&mut circuit, now));
        circuit.return_reserved(now, &mut Transitions::new());
        assert!(admitted(&mut circuit, now), "the place that was given back");
        assert!(!admitted(&mut circuit, now));

        // The round is over when the place is given back.
        let (mut circuit, now) = probed();
        circuit.reserve();
        let mut out = Transitions::new();
        circuit.return_reserved(now + 60 * SECOND, &mut out);
        assert_eq!((circuit.state(), out.len()), (State::Open, 1));
    }
}
