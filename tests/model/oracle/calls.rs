//! Calls, and what is judged when they end.

use super::{
    Oracle, OracleOutcome,
    circuit::Phase,
    window::{count, reaches},
};

impl Oracle {
    /// Asks for a call to be admitted: its generation, or when to retry if a clock can tell.
    pub fn admit(&mut self, now: u64) -> Result<u64, Option<u64>> {
        self.handle_deadline(now);
        if let Phase::Open { end, .. } = self.phase {
            if now < end {
                return Err(Some(end - now));
            }
            if self.granted {
                self.wanted = true;
                return Err(None);
            }
            let permitted = u64::from(self.settings.permitted_calls_in_half_open);
            self.enter_half_open(i128::from(now), permitted, None, false);
        }
        match &mut self.phase {
            Phase::Closed | Phase::Disabled | Phase::MetricsOnly => Ok(self.generation),
            Phase::HalfOpen { permitted, taken, admits_before, held_elsewhere, .. } => {
                let leased = admits_before.is_none_or(|end| now < end);
                if *held_elsewhere || !leased || *taken >= *permitted {
                    return Err(None);
                }
                *taken += 1;
                Ok(self.generation)
            }
            Phase::ForcedOpen => Err(None),
            Phase::Open { .. } => unreachable!("left above"),
        }
    }

    /// Books how an admitted call ended.
    pub fn record(
        &mut self,
        generation: u64,
        outcome: OracleOutcome,
        retry_after: Option<u64>,
        elapsed: u64,
        now: u64,
    ) {
        self.handle_deadline(now);
        if generation != self.generation {
            return;
        }
        self.asked_now = retry_after.is_some() && outcome != OracleOutcome::Ignored;
        self.end(outcome, retry_after, elapsed, now);
        self.asked_now = false;
    }

    pub(super) fn end(
        &mut self,
        outcome: OracleOutcome,
        retry_after: Option<u64>,
        elapsed: u64,
        now: u64,
    ) {
        match self.phase {
            Phase::Closed | Phase::MetricsOnly => {
                if outcome == OracleOutcome::Ignored {
                    return;
                }
                self.remember_retry_after(retry_after, now);
                self.book(outcome, elapsed, now);
                self.judge(now);
            }
            Phase::HalfOpen { .. } => self.finish_probe(outcome, retry_after, elapsed, now),
            Phase::Open { .. } | Phase::ForcedOpen | Phase::Disabled => {}
        }
    }

    /// Books that an admitted call was dropped before it ended.
    pub fn cancel(&mut self, generation: u64, elapsed: u64, now: u64) {
        let outcome = if elapsed >= self.settings.slow_call_duration_threshold {
            OracleOutcome::Failure
        } else {
            OracleOutcome::Ignored
        };
        self.record(generation, outcome, None, elapsed, now);
    }

    /// Tells how many calls of this generation are in flight and already slow. It stays in force
    /// until told otherwise or until the next generation, and is judged at once.
    pub fn in_flight_slow(&mut self, count: u32, now: u64) {
        self.in_flight_slow = count;
        if self.settings.slow_calls_in_flight && self.settings.slow_call_rate_threshold.is_some() {
            self.judge(now);
        }
    }

    pub(super) fn judge(&mut self, now: u64) {
        if !matches!(self.phase, Phase::Closed) {
            return;
        }
        let settings = &self.settings;
        let minimum = u64::from(settings.minimum_number_of_calls);
        let (calls, failures, slow) = count(&self.visible(now));
        let overdue =
            if settings.slow_calls_in_flight { u64::from(self.in_flight_slow) } else { 0 };

        let too_many_in_a_row =
            settings.failure_threshold.is_some_and(|threshold| self.run >= threshold);
        let too_many_failures = settings
            .failure_rate_threshold
            .is_some_and(|rate| calls >= minimum && reaches(failures, calls, rate));
        let too_many_slow = settings.slow_call_rate_threshold.is_some_and(|rate| {
            calls + overdue >= minimum && reaches(slow + overdue, calls + overdue, rate)
        });
        if too_many_in_a_row || too_many_failures || too_many_slow {
            let run = self.run;
            self.open(now, 0, (calls, failures, slow));
            self.run = run;
        }
    }
}
