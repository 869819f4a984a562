//! Which circuit a call belongs to.

use std::task::{Context, Poll};

use crate::breaker::{Breaker, Permit, Rejected};

/// Which circuit a call belongs to: [`Single`](super::Single) or [`Keyed`](super::Keyed).
///
/// It cannot be implemented outside of this crate.
pub trait Select<Req>: sealed::Sealed {
    #[doc(hidden)]
    fn poll_gate(&mut self, cx: &mut Context<'_>, ready: bool) -> Poll<Ask>;

    /// The inner service is not ready: whether to go on waiting for it. Wakes the task when that may
    /// be answered otherwise.
    #[doc(hidden)]
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Ask;

    /// The inner service was waited for no longer.
    #[doc(hidden)]
    fn settled(&mut self);

    /// A permit, if the circuit admits without further questions; else the circuit.
    #[doc(hidden)]
    fn acquire(&mut self, request: &Req) -> Result<Permit, Breaker>;

    /// A permit, or the rejection, of the circuit that [`acquire`](Self::acquire) came to.
    #[doc(hidden)]
    fn acquire_closely(&mut self, circuit: Breaker) -> Result<Permit, Rejected>;

    /// A rejection although the circuit may admit: the inner service is not ready.
    #[doc(hidden)]
    fn not_ready(&mut self, request: &Req) -> Rejected;

    /// A permit for an error of the inner service's readiness, if that concerns a circuit.
    #[doc(hidden)]
    fn blame(&mut self) -> Option<Permit>;
}

/// Whether the inner service is to be polled.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// It is.
    Inner,
    /// The circuit would reject: answer ready without asking.
    Nobody,
}

pub(super) mod sealed {
    /// Keeps [`Select`](super::Select) to this crate.
    pub trait Sealed {
        /// A clone for a service that is cloned for each request.
        fn light(&self) -> Self
        where
            Self: Sized;
    }
}
