//! One circuit for all calls of a service.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{
    OnOpen, Select,
    select::{Ask, sealed::Sealed},
    wait::Wait,
};
use crate::breaker::{Breaker, Handle, Permit, Rejected, Waiting};

/// One circuit for all calls.
///
/// A clone shares the circuit. It uses the lane of the thread it is made on, and moves to that of
/// the thread that calls it.
pub struct Single {
    handle: Arc<Handle>,
    /// Keeps all lanes alive: in layers, and in the services they make. Clones of those have none:
    /// a service that is cloned for each request would write one reference count from all threads.
    /// They live off the one they were cloned from, and should that be gone, stay on their lane.
    keeper: Option<Breaker>,
    wait: Option<Box<Wait>>,
    /// While the inner service is not ready: whoever polls it is woken when the circuit opens.
    pending: Option<Waiting>,
}

impl Single {
    pub(super) fn new(breaker: Breaker) -> Self {
        Self { handle: breaker.handle().near(), keeper: Some(breaker), wait: None, pending: None }
    }

    pub(super) fn on_open(&mut self, on_open: OnOpen) {
        self.wait = match on_open {
            OnOpen::Reject => None,
            OnOpen::Wait => Some(Box::default()),
        };
    }
}

impl Single {
    /// The permit that was reserved, or one from the circuit.
    fn acquire_here(&mut self) -> Result<Permit, Rejected> {
        if let Some(wait) = &mut self.wait
            && let Some(permit) = wait.take()
        {
            return Ok(permit);
        }
        if !self.handle.is_near() {
            self.handle = self.handle.near();
        }
        self.handle.acquire()
    }
}

/// What a layer does: the clone keeps the lanes alive as well.
impl Clone for Single {
    fn clone(&self) -> Self {
        Self { keeper: self.keeper.clone(), ..self.light() }
    }
}

impl Sealed for Single {
    #[inline]
    fn light(&self) -> Self {
        // What is reserved stays with the original.
        let wait = self.wait.is_some().then(Box::default);
        // The keeper first: its handle is read by all threads that clone one original, and the
        // count that its own lane's thread writes is on the same cache line.
        let handle = match &self.keeper {
            Some(breaker) => Arc::clone(breaker.near()),
            None if self.handle.is_near() => Arc::clone(&self.handle),
            None => self.handle.near(),
        };
        Self { handle, keeper: None, wait, pending: None }
    }
}

impl<Req> Select<Req> for Single {
    #[inline]
    fn poll_gate(&mut self, cx: &mut Context<'_>, ready: bool) -> Poll<Ask> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.poll(&self.handle, cx));
            return Poll::Ready(Ask::Inner);
        }
        let rejects = !ready && self.handle.rejects();
        Poll::Ready(if rejects { Ask::Nobody } else { Ask::Inner })
    }

    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Ask {
        self.pending.get_or_insert_with(|| self.handle.wait()).register(cx.waker());
        let rejects = self.wait.is_none() && self.handle.rejects();
        if rejects { Ask::Nobody } else { Ask::Inner }
    }

    fn settled(&mut self) {
        self.pending = None;
    }

    #[inline(always)]
    fn acquire(&mut self, _: &Req) -> Result<Permit, Breaker> {
        if self.wait.is_none()
            && self.handle.is_near()
            && let Some(gate) = self.handle.ask()
        {
            return Ok(Permit::immediate(Arc::clone(&self.handle), gate));
        }
        Err(Breaker::of(Arc::clone(&self.handle)))
    }

    fn acquire_closely(&mut self, _: Breaker) -> Result<Permit, Rejected> {
        self.acquire_here()
    }

    fn not_ready(&mut self, _: &Req) -> Rejected {
        let refusal = self.handle.circuit().refusal();
        self.handle.reject(refusal.unwrap_or_else(|| self.handle.not_ready()))
    }

    fn blame(&mut self) -> Option<Permit> {
        self.acquire_here().ok().map(Permit::unmeasured)
    }
}

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Single")
            .field("service", self.handle.service())
            .field("waits", &self.wait.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    /// The handles that as many threads come to as there are lanes.
    fn handles(single: &Single) -> usize {
        let near = || thread::scope(|scope| scope.spawn(|| single.handle.near()).join().unwrap());
        let all: Vec<_> = (0..16).map(|_| near()).collect();
        all.iter().map(Arc::as_ptr).collect::<HashSet<_>>().len()
    }

    #[test]
    fn a_cloned_layer_keeps_all_lanes_alive() {
        let single = Single::new(Breaker::builder("upstream").build().unwrap());
        let lanes = handles(&single);
        assert!(lanes > 1);
        let clone = single.clone();
        drop(single);
        assert_eq!(handles(&clone), lanes);
    }

    #[test]
    fn a_light_clone_stays_on_its_lane_when_the_others_are_gone() {
        let single = Single::new(Breaker::builder("upstream").build().unwrap());
        let light = single.light();
        drop(single);
        assert_eq!(handles(&light), 1);
    }
}
