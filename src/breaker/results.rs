//! How calls go on and end.

use super::{
    Cause, Describe, Handle,
    core::{GateWord, UNREAD},
    event::CallRecord,
};
use crate::circuit::{Booking, Outcome};

impl Handle {
    /// The ticks at which a call starts, where the gate has to know.
    #[inline(always)]
    pub(crate) fn start(&self, gate: GateWord) -> u64 {
        if gate.is_timed() { self.ticks() } else { UNREAD }
    }

    #[inline(always)]
    pub(crate) fn ticks(&self) -> u64 {
        self.circuit().clock().ticks()
    }

    /// Tracks a call that goes on; returns the tag to end it with.
    pub(crate) fn track(&self, gate: GateWord, start: u64) -> u32 {
        self.followed_up(|on| self.circuit().track(self.lane(), gate, start, on))
    }

    #[inline(always)]
    pub(crate) fn finish(&self, gate: GateWord, start: u64, tag: u32, outcome: Outcome) {
        if tag != 0 {
            self.circuit().untrack(self.lane(), tag, start);
        }
        if gate.is_measured() {
            return self.finish_measured(gate, start, outcome);
        }
        if !(outcome.is_plain_success() && self.circuit().succeed(self.lane(), gate, start)) {
            self.book(gate, start, outcome, &mut || None);
        }
    }

    /// As [`finish`](Self::finish), of a call that is no plain success; `describe` says what it failed
    /// with.
    #[inline(never)]
    pub(crate) fn finish_described(
        &self,
        gate: GateWord,
        start: u64,
        tag: u32,
        outcome: Outcome,
        describe: Describe<'_>,
    ) {
        if tag != 0 {
            self.circuit().untrack(self.lane(), tag, start);
        }
        if gate.is_measured() {
            self.keep_latency(start, self.ticks(), outcome);
        }
        self.book(gate, start, outcome, describe);
    }

    /// Ends a call that was dropped without a result.
    #[cold]
    pub(crate) fn give_up(&self, gate: GateWord, start: u64, tag: u32) {
        self.circuit().untrack(self.lane(), tag, start);
        if let Some(outcome) = self.circuit().dropped(gate, start) {
            self.book(gate, start, outcome, &mut || Some(Cause::new("given_up")));
        }
    }

    #[inline(never)]
    pub(super) fn book(
        &self,
        gate: GateWord,
        start: u64,
        outcome: Outcome,
        describe: Describe<'_>,
    ) {
        let booked =
            self.followed_up(|on| self.circuit().book(self.lane(), gate, start, outcome, on));
        if self.hub().is_watched() {
            let (slow, probe) = match booked.booking {
                Booking::Counted { slow } => (slow, false),
                Booking::Probe { slow } => (slow, true),
                Booking::Ignored | Booking::Late => (false, false),
            };
            if slow || probe || !outcome.is_plain_success() || booked.booking == Booking::Late {
                let record = CallRecord {
                    outcome: outcome.kind(),
                    slow,
                    probe,
                    late: booked.booking == Booking::Late,
                    elapsed: booked.elapsed,
                    generation: gate.generation(),
                    admitted: booked.admitted,
                };
                self.hub().push_call(self.service(), record, describe);
                self.hub().tell();
            }
        }
    }
}
