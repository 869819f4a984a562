//! Open times and the rounds of probes.

use super::{
    Oracle, OracleOutcome,
    circuit::Phase,
    window::{Booked, Counts, count, share_of},
};

impl Oracle {
    /// Ends a round that has lasted too long, as of its deadline.
    pub fn handle_deadline(&mut self, now: u64) {
        if let Some(deadline) = self.poll_deadline()
            && now >= deadline
        {
            self.reopen(deadline);
        }
    }

    pub(super) fn finish_probe(
        &mut self,
        outcome: OracleOutcome,
        retry_after: Option<u64>,
        elapsed: u64,
        now: u64,
    ) {
        let probe = Booked {
            at: now,
            failed: outcome != OracleOutcome::Success,
            slow: self.settings.is_slow(elapsed),
        };
        let Phase::HalfOpen { permitted, taken, finished, .. } = &mut self.phase else {
            return;
        };
        let done = finished.len() as u64;
        if done >= *taken {
            // Nobody is out there: a result without an admission.
            return;
        }
        if outcome == OracleOutcome::Ignored {
            *taken -= 1;
            return;
        }
        finished.push(probe);

        let permitted = *permitted;
        let (done, failed, slow) = count(finished);
        let succeeded = done - failed;
        let need = share_of(permitted, self.settings.success_rate_threshold);
        let slow_limit =
            self.settings.slow_call_rate_threshold.map(|rate| share_of(permitted, rate));
        self.remember_retry_after(retry_after, now);

        if failed > permitted - need || slow_limit.is_some_and(|limit| slow >= limit) {
            self.reopen(now);
        } else if succeeded >= need
            && slow_limit.is_none_or(|limit| slow + (permitted - done) < limit)
        {
            self.reopens = 0;
            self.enter(Phase::Closed);
        }
    }

    /// A failed recovery.
    pub(super) fn reopen(&mut self, at: u64) {
        let probes = self.counts(at);
        self.open(at, self.reopens.saturating_add(1), probes);
    }

    pub(super) fn open(&mut self, at: u64, reopens: u32, tripped: Counts) {
        let by_backoff = at.saturating_add(self.settings.backoff(reopens));
        // The server's word counts as it is where it came with the result that opens; an earlier one
        // only lengthens.
        let by_server =
            self.retry_end.filter(|end| *end > at && (self.asked_now || *end > by_backoff));
        self.reopens = reopens;
        self.enter(Phase::Open { end: by_server.unwrap_or(by_backoff), tripped: Some(tripped) });
    }

    pub(super) fn remember_retry_after(&mut self, retry_after: Option<u64>, now: u64) {
        if let Some(wait) = retry_after {
            let end = now.saturating_add(wait.min(self.settings.max_retry_after));
            self.retry_end = Some(self.retry_end.map_or(end, |known| known.max(end)));
        }
    }
}
