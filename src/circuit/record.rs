//! Asking to be admitted, and what the result of a call does.

use std::time::Duration;

use super::{
    admission::{Admission, Booking, Command, Refusal, RejectReason},
    machine::{Circuit, Phase},
    moment::Moment,
    outcome::{Outcome, OutcomeKind},
    probes::{Probes, Verdict},
    reason::{Reason, TripReason},
    state::{Gate, Override, State},
    transition::{Origin, Transitions},
};

impl Circuit {
    /// Asks whether a call may go ahead.
    ///
    /// Every call that is admitted has to end in [`record`](Self::record) or
    /// [`cancel`](Self::cancel) with the generation it was given.
    pub fn admit(&mut self, now: Moment, out: &mut Transitions) -> Admission {
        if let Some(over) = self.override_ {
            return match over {
                Override::Disabled | Override::MetricsOnly => self.admitted(),
                Override::ForcedOpen => self.refused(None, RejectReason::ForcedOpen),
            };
        }
        self.handle_deadline(now, out);
        if let Phase::Open { until, .. } = self.phase {
            if now < until {
                return self.refused(Some(until.since(now)), RejectReason::Open);
            }
            if self.gate == Gate::Granted {
                return self.ask_for_grant();
            }
            let permitted = match self.gate {
                Gate::Single => 1,
                Gate::Local | Gate::Granted => self.settings.permitted_calls_in_half_open(),
            };
            let probes = Probes::new(now, permitted, Moment::MAX);
            self.half_open(probes, Reason::RecoveryTimeElapsed, out);
        }
        if let Phase::HalfOpen(probes) = &mut self.phase
            && !probes.take_place(now)
        {
            let granted_no_more = probes.has_place() || probes.permitted == 0;
            let reason = if granted_no_more {
                RejectReason::AwaitingGrant
            } else {
                RejectReason::NoProbeLeft
            };
            return self.refused(None, reason);
        }
        self.admitted()
    }

    fn admitted(&self) -> Admission {
        Admission::Admitted { generation: self.generation }
    }

    fn refused(&self, retry_after: Option<Duration>, reason: RejectReason) -> Admission {
        Admission::Refused(Refusal::new(self.state(), retry_after, reason))
    }

    fn ask_for_grant(&mut self) -> Admission {
        let asked = std::mem::replace(&mut self.grant_requested, true);
        Admission::Refused(Refusal {
            state: State::Open,
            retry_after: None,
            reason: RejectReason::AwaitingGrant,
            command: (!asked).then_some(Command::RequestGrant),
        })
    }

    /// Books the result of a call that was admitted under `generation` and took `elapsed`.
    ///
    /// A result from another generation decides nothing.
    pub fn record(
        &mut self,
        generation: u64,
        outcome: Outcome,
        elapsed: Duration,
        now: Moment,
        out: &mut Transitions,
    ) -> Booking {
        self.handle_deadline(now, out);
        if generation != self.generation {
            return Booking::Late;
        }
        let asked = outcome.retry_after().filter(|_| outcome.kind() != OutcomeKind::Ignored);
        if let Some(retry_after) = asked {
            let end = now + retry_after.min(self.settings.max_retry_after());
            self.retry_until = self.retry_until.max(end);
        }
        self.asked_now = asked.is_some();
        let booking = self.book(outcome, elapsed, now, out);
        self.asked_now = false;
        booking
    }

    /// Books a result of this generation.
    fn book(
        &mut self,
        outcome: Outcome,
        elapsed: Duration,
        now: Moment,
        out: &mut Transitions,
    ) -> Booking {
        let slow = self.settings.detects_slow_calls()
            && elapsed >= self.settings.slow_call_duration_threshold();
        let counts = outcome.kind() != OutcomeKind::Ignored && self.counts_results();
        match &mut self.phase {
            Phase::HalfOpen(probes) if outcome.kind() == OutcomeKind::Ignored => {
                probes.return_place();
                Booking::Ignored
            }
            Phase::HalfOpen(probes) => {
                probes.record(outcome.is_failed(), slow);
                self.judge_probes(now, out);
                Booking::Probe { slow }
            }
            Phase::Closed if counts => {
                self.count(outcome.kind(), slow, now);
                self.judge(now, out);
                Booking::Counted { slow }
            }
            Phase::Closed | Phase::Open { .. } => Booking::Ignored,
        }
    }

    /// Books a call that was dropped after `elapsed`, before it had a result.
    ///
    /// It is a failure if it had lived for the slow-call duration, whether or not a slow-call rate
    /// is set; else it is ignored, and a probe's place is free again.
    pub fn cancel(
        &mut self,
        generation: u64,
        elapsed: Duration,
        now: Moment,
        out: &mut Transitions,
    ) -> Booking {
        let hung = elapsed >= self.settings.slow_call_duration_threshold();
        let outcome = if hung { Outcome::FAILURE } else { Outcome::IGNORED };
        self.record(generation, outcome, elapsed, now, out)
    }

    /// Tells how many calls in flight of this generation are already slow.
    ///
    /// They count towards the slow-call rate until this is called again or the generation ends.
    /// Acts only where a slow-call rate is set and calls in flight are to count.
    pub fn set_slow_calls_in_flight(&mut self, calls: u32, now: Moment, out: &mut Transitions) {
        self.overdue = if self.settings.slow_calls_in_flight() { calls } else { 0 };
        if let Some(window) = &mut self.window {
            window.roll(now);
        }
        self.judge(now, out);
    }

    /// Whether a result in closed means anything: not while the circuit is disabled.
    pub(super) fn counts_results(&self) -> bool {
        self.override_ != Some(Override::Disabled)
    }

    fn count(&mut self, kind: OutcomeKind, slow: bool, now: Moment) {
        match kind {
            OutcomeKind::Success => self.run = 0,
            OutcomeKind::Failure => self.run = self.run.saturating_add(1),
            OutcomeKind::RateOnly | OutcomeKind::Ignored => {}
        }
        if let Some(window) = &mut self.window {
            window.record(kind != OutcomeKind::Success, slow, now);
        }
    }

    /// Opens a closed circuit whose results cross a bound.
    pub(super) fn judge(&mut self, now: Moment, out: &mut Transitions) {
        if self.state() == State::Closed
            && let Some(trip) = self.verdict()
        {
            self.open(trip, now, 0, out);
        }
    }

    fn verdict(&self) -> Option<TripReason> {
        let settings = &self.settings;
        if let Some(threshold) = settings.failure_threshold()
            && self.run >= threshold
        {
            return Some(TripReason::ConsecutiveFailures { failures: self.run, threshold });
        }
        let counts = self.window.as_ref()?.counts();
        let minimum = u64::from(settings.minimum_number_of_calls());
        if let Some(threshold) = settings.failure_rate_threshold()
            && counts.calls >= minimum
            && counts.failure_rate()? >= threshold
        {
            let (failures, calls) = (counts.failures, counts.calls);
            return Some(TripReason::FailureRate { failures, calls, threshold });
        }
        let threshold = settings.slow_call_rate_threshold()?;
        let in_flight = self.overdue;
        let slow_calls = counts.slow_calls + u64::from(in_flight);
        let calls = counts.calls + u64::from(in_flight);
        (calls >= minimum && slow_calls as f64 / calls as f64 >= threshold)
            .then_some(TripReason::SlowCallRate { slow_calls, calls, in_flight, threshold })
    }

    fn judge_probes(&mut self, now: Moment, out: &mut Transitions) {
        let Phase::HalfOpen(probes) = &self.phase else { return };
        match probes.verdict(&self.settings) {
            None => {}
            Some(Verdict::Reopen(trip)) => {
                self.open(trip, now, self.reopens.saturating_add(1), out);
            }
            Some(Verdict::Close { succeeded, permitted }) => {
                let reason = Reason::ProbesSucceeded { succeeded, permitted };
                self.close(reason, Origin::Circuit, now, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::{Adoption, Grant, Settings, Version};

    #[test]
    fn a_half_open_circuit_says_whether_places_or_leave_are_missing() {
        let minute = Duration::from_secs(60);
        let (granted, lease_over) = (Moment::ZERO + minute, Moment::ZERO + 2 * minute);
        for (state, now, reason) in [
            // The one place is taken.
            (State::Open, granted, RejectReason::NoProbeLeft),
            // There is one, but the lease is over.
            (State::Open, lease_over, RejectReason::AwaitingGrant),
            // All of them are another process's.
            (State::HalfOpen, granted, RejectReason::AwaitingGrant),
        ] {
            let settings = Settings::builder().max_wait_in_half_open(None).build().unwrap();
            let mut circuit = Circuit::new(settings.into(), 0);
            let mut out = Transitions::new();
            circuit.set_gate(Gate::Granted);
            let adoption = Adoption {
                state,
                elapsed: Duration::ZERO,
                open_for: minute,
                reopens: 0,
                version: Version::new(1, 0),
            };
            circuit.adopt(adoption, Moment::ZERO, &mut out);
            if state == State::Open {
                let grant = Grant { token: 1, budget: 1, deadline: lease_over };
                assert!(circuit.grant(grant, granted, &mut out));
            }
            if reason == RejectReason::NoProbeLeft {
                assert!(matches!(circuit.admit(now, &mut out), Admission::Admitted { .. }));
            }
            let Admission::Refused(refusal) = circuit.admit(now, &mut out) else {
                panic!("admitted")
            };
            assert_eq!((refusal.state, refusal.reason), (State::HalfOpen, reason));
            assert_eq!(refusal.retry_after, None, "no clock can tell");
        }
    }
}
