//! The counters of a breaker, and what was added to them.

use crate::{
    breaker::{Breaker, Snapshot},
    store::CallCounts,
};

/// The counters of a breaker at one time. They only rise.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    admitted: u64,
    succeeded: u64,
    failed: u64,
    slow: u64,
    rejected: u64,
    ignored: u64,
    late: u64,
}

impl Reading {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let Snapshot { admitted, succeeded, failed, slow, rejected, ignored, late, .. } = *snapshot;
        Self { admitted, succeeded, failed, slow, rejected, ignored, late }
    }

    /// Whether the breaker may have counted something since, by the two counters that are read
    /// without its lock.
    pub(super) fn may_differ(&self, breaker: &Breaker) -> bool {
        // A call that was admitted before may end now.
        self.has_calls_in_flight()
            || breaker.admitted() != self.admitted
            || breaker.rejected() != self.rejected
    }

    /// Calls that were given up early leave no result: with one of those this is always so.
    fn has_calls_in_flight(&self) -> bool {
        self.admitted > self.succeeded + self.failed + self.ignored
    }

    /// What was counted from `before` to this one.
    pub(super) fn since(&self, before: &Self) -> CallCounts {
        CallCounts {
            admitted: self.admitted.saturating_sub(before.admitted),
            succeeded: self.succeeded.saturating_sub(before.succeeded),
            failed: self.failed.saturating_sub(before.failed),
            slow: self.slow.saturating_sub(before.slow),
            rejected: self.rejected.saturating_sub(before.rejected),
            ignored: self.ignored.saturating_sub(before.ignored),
            late: self.late.saturating_sub(before.late),
            ..CallCounts::default()
        }
    }
}
