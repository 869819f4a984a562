//! Turns a panic while an inner future is polled into a failure.

use super::Permit;
use crate::circuit::Outcome;

/// Holds a permit while the call it belongs to is polled. Dropped during unwinding, it records a
/// failure; [`release`](Self::release) says that the poll returned.
///
/// A guard around `poll` knows what `thread::panicking` does not: whether it was this call that
/// panicked, or a call that is merely dropped while something else unwinds.
#[derive(Debug)]
pub(crate) struct PollGuard<'a>(&'a mut Option<Permit>);

impl<'a> PollGuard<'a> {
    #[inline(always)]
    pub(crate) fn new(permit: &'a mut Option<Permit>) -> Self {
        Self(permit)
    }

    #[inline(always)]
    pub(crate) fn release(self) {
        std::mem::forget(self);
    }
}

impl Drop for PollGuard<'_> {
    #[cold]
    fn drop(&mut self) {
        if let Some(permit) = self.0.take() {
            permit.record(Outcome::FAILURE);
        }
    }
}
