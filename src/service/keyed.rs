//! A circuit for each key.

use std::{
    borrow::Cow,
    fmt,
    task::{Context, Poll},
};

use super::{
    Select,
    select::{Ask, sealed::Sealed},
};
use crate::breaker::{Breaker, Breakers, Permit, Rejected};

/// A circuit for each key that requests have.
///
/// The key of a request is not known before the call, so the inner service is always polled ready,
/// and an error of its readiness is no circuit's fault.
#[derive(Clone)]
pub struct Keyed<M, K> {
    breakers: M,
    key: K,
}

impl<M, K> Keyed<M, K> {
    pub(super) fn new(breakers: M, key: K) -> Self {
        Self { breakers, key }
    }
}

impl<M: Clone, K: Clone> Sealed for Keyed<M, K> {
    #[inline]
    fn light(&self) -> Self {
        self.clone()
    }
}

impl<M, K, Req> Select<Req> for Keyed<M, K>
where
    M: Breakers + Clone,
    K: for<'a> Fn(&'a Req) -> Cow<'a, str> + Clone,
{
    fn poll_gate(&mut self, _: &mut Context<'_>, _: bool) -> Poll<Ask> {
        Poll::Ready(Ask::Inner)
    }

    fn poll_pending(&mut self, _: &mut Context<'_>) -> Ask {
        Ask::Inner
    }

    fn settled(&mut self) {}

    #[inline(always)]
    fn acquire(&mut self, request: &Req) -> Result<Permit, Breaker> {
        let circuit = self.breakers.breaker(&(self.key)(request));
        match circuit.handle().ask() {
            Some(gate) => Ok(Permit::immediate(circuit.into_handle(), gate)),
            None => Err(circuit),
        }
    }

    fn acquire_closely(&mut self, circuit: Breaker) -> Result<Permit, Rejected> {
        circuit.handle().acquire_closely(false)
    }

    fn not_ready(&mut self, request: &Req) -> Rejected {
        let breaker = self.breakers.breaker(&(self.key)(request));
        let handle = breaker.handle();
        handle.reject(handle.not_ready())
    }

    fn blame(&mut self) -> Option<Permit> {
        None
    }
}

impl<M: fmt::Debug, K> fmt::Debug for Keyed<M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("breakers", &self.breakers).finish_non_exhaustive()
    }
}
