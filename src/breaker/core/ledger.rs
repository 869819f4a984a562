//! What is behind the lock of a live circuit.

use std::time::Duration;

use crate::{
    breaker::clock::ClockSource,
    circuit::{Booking, Circuit, Moment, Outcome, OutcomeKind},
};

/// The circuit, and what is counted about it besides.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) circuit: Circuit,
    pub(super) totals: Totals,
    /// Whether somebody keeps how long calls take.
    pub(super) measured: bool,
    /// How far the clock that counts suspended time was ahead when a round was granted.
    pub(super) boot_ahead: Option<Duration>,
}

impl Ledger {
    /// Now, with the time that the machine was suspended since the round was granted, if the round
    /// is this circuit's: whoever waits for its lease counts that too.
    pub(super) fn awake(&self, now: Moment, clock: &ClockSource) -> Moment {
        match self.boot_ahead {
            Some(ahead) if self.circuit.is_probing() => now.max(clock.boot().before(ahead)),
            _ => now,
        }
    }

    /// Books plain successes that were taken off leases.
    pub(super) fn book_successes(&mut self, successes: u64) {
        self.circuit.record_successes(successes);
        self.totals.successes += successes;
    }
}

/// Results of all generations since the breaker was made, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    pub(crate) slow_calls: u64,
    pub(crate) ignored: u64,
    pub(crate) late: u64,
}

impl Totals {
    pub(super) fn add(&mut self, outcome: Outcome, booking: Booking) {
        let succeeded = outcome.kind() == OutcomeKind::Success;
        self.failures += u64::from(outcome.is_failed());
        match booking {
            Booking::Counted { slow } | Booking::Probe { slow } => {
                self.successes += u64::from(succeeded);
                self.slow_calls += u64::from(slow);
            }
            // Of a disabled circuit, where the others never come to the lock.
            Booking::Ignored if succeeded => {}
            Booking::Ignored => self.ignored += 1,
            Booking::Late => self.late += 1,
        }
    }
}
