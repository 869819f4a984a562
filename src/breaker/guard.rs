//! Turns a panic while an inner future is polled into a failure.

use std::mem;

use super::{Cause, Permit};
use crate::circuit::Outcome;

/// Holds a permit while the call it belongs to is made or polled. Dropped during unwinding, it
/// records a failure; [`release`](Self::release) says that the inner code returned.
///
/// A guard around `poll` knows what `thread::panicking` does not: whether it was this call that
/// panicked, or a call that is merely dropped while something else unwinds.
#[derive(Debug)]
pub(crate) struct PollGuard<'a>(&'a mut Permit);

impl<'a> PollGuard<'a> {
    #[inline(always)]
    pub(crate) fn new(permit: &'a mut Permit) -> Self {
        Self(permit)
    }

    #[inline(always)]
    pub(crate) fn release(self) {
        mem::forget(self);
    }
}

impl Drop for PollGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.take().record_with(Outcome::FAILURE, || Some(Cause::new("panic")));
    }
}
