//! What is behind the lock of a live circuit.

use crate::circuit::{Booking, Circuit, Outcome};

/// The circuit, and what is counted about it besides.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) circuit: Circuit,
    pub(super) totals: Totals,
}

/// Results of all generations since the breaker was made, by what became of them. Plain successes
/// are what is left of the admitted calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) failures: u64,
    pub(crate) slow_calls: u64,
    pub(crate) ignored: u64,
    pub(crate) late: u64,
}

impl Totals {
    pub(super) fn add(&mut self, outcome: Outcome, booking: Booking) {
        self.failures += u64::from(outcome.is_failed());
        match booking {
            Booking::Counted { slow } | Booking::Probe { slow } => {
                self.slow_calls += u64::from(slow);
            }
            Booking::Ignored => self.ignored += 1,
            Booking::Late => self.late += 1,
        }
    }
}
