//! What the rates are taken over.

use super::{Oracle, OracleOutcome, OracleWindow};

/// One booked result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booked {
    pub(super) at: u64,
    pub(super) failed: bool,
    pub(super) slow: bool,
}

/// Calls, failures, slow calls.
pub(super) type Counts = (u64, u64, u64);

impl Oracle {
    /// The booked results that are inside the window as of `now`.
    pub(super) fn visible(&self, now: u64) -> Vec<Booked> {
        match self.settings.window {
            OracleWindow::Count(calls) => newest(&self.window, calls),
            OracleWindow::Time { duration, slices } => {
                let width = duration / slices;
                let latest = self.window.iter().map(|booked| booked.at).max();
                let current = now.max(latest.unwrap_or(0)) / width;
                let inside = |booked: &&Booked| booked.at / width + slices > current;
                self.window.iter().filter(inside).copied().collect()
            }
        }
    }

    pub(super) fn book(&mut self, outcome: OracleOutcome, elapsed: u64, now: u64) {
        match outcome {
            OracleOutcome::Success => self.run = 0,
            OracleOutcome::Failure => self.run = self.run.saturating_add(1),
            OracleOutcome::RateOnly | OracleOutcome::Ignored => {}
        }
        if self.settings.keeps_window() {
            // A clock that is behind books into the newest slice.
            let latest = self.window.iter().map(|booked| booked.at).max();
            self.window.push(Booked {
                at: now.max(latest.unwrap_or(0)),
                failed: outcome != OracleOutcome::Success,
                slow: self.settings.is_slow(elapsed),
            });
        }
    }

    pub(super) fn clear_window(&mut self) {
        self.window.clear();
        self.exact = true;
    }
}

pub(super) fn count(results: &[Booked]) -> Counts {
    let failures = results.iter().filter(|booked| booked.failed).count();
    let slow = results.iter().filter(|booked| booked.slow).count();
    (results.len() as u64, failures as u64, slow as u64)
}

pub(super) fn newest(results: &[Booked], calls: u32) -> Vec<Booked> {
    let skipped = results.len().saturating_sub(calls as usize);
    results[skipped..].to_vec()
}

/// Exactly at a rate is over it. The quotient is compared, because a product such as
/// 0.28 × 25 rounds to more than 7.
pub(super) fn reaches(part: u64, whole: u64, rate: f64) -> bool {
    part as f64 / whole as f64 >= rate
}

/// The smallest number out of `whole` that reaches `rate`.
pub(super) fn share_of(whole: u64, rate: f64) -> u64 {
    (0..whole).find(|part| reaches(*part, whole, rate)).unwrap_or(whole)
}

pub(super) fn same_slices(old: OracleWindow, new: OracleWindow) -> bool {
    match (old, new) {
        (
            OracleWindow::Time { duration, slices },
            OracleWindow::Time { duration: new_duration, slices: new_slices },
        ) => slices == new_slices && duration / slices == new_duration / new_slices,
        _ => false,
    }
}
