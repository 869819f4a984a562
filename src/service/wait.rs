//! Not ready while open, for load balancers.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use crate::breaker::{Handle, Permit, Waiting};

/// The least that a timer is set to: the grain of tokio's.
const TICK: Duration = Duration::from_millis(1);

/// What a service answers to `poll_ready` while its circuit rejects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnOpen {
    /// Ready, and the call is rejected. What most stacks want: callers learn at once.
    #[default]
    Reject,
    /// Not ready, until the circuit admits again: for load balancers, which turn to another
    /// service meanwhile.
    ///
    /// `poll_ready` then reserves the permit of the call that follows; a probe is reserved until
    /// the half-open round ends, and a round in which nothing else was tried is no failed recovery.
    /// A reservation is given back when the service is dropped. The call is still rejected if the
    /// circuit has opened since.
    ///
    /// # Panics
    ///
    /// Waiting for an open time to end needs a tokio runtime with time enabled.
    Wait,
}

/// A permit of a call that has not begun. Dropped, it decides nothing, however long it was held.
#[derive(Debug)]
struct Reserved(Option<Permit>);

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(permit) = self.0.take() {
            permit.given_back();
        }
    }
}

/// What a service that waits has to remember between polls.
#[derive(Debug, Default)]
pub(super) struct Wait {
    reserved: Option<Reserved>,
    waiting: Option<Waiting>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Wait {
    /// Ready once a permit is reserved.
    pub(super) fn poll(&mut self, handle: &Arc<Handle>, cx: &mut Context<'_>) -> Poll<()> {
        if self.reserved.as_ref().is_some_and(Reserved::is_current) {
            return Poll::Ready(());
        }
        self.reserved = None;
        // Register, then look: a change in between wakes the task.
        self.waiting.get_or_insert_with(|| handle.wait()).register(cx.waker());
        if !handle.rejects()
            && let Ok(permit) = handle.acquire()
        {
            *self = Self { reserved: Some(Reserved(Some(permit.reserved()))), ..Self::default() };
            return Poll::Ready(());
        }
        // Nobody tells when the time of the gate is over. Set anew each time, since the circuit may
        // have been opened again for a shorter time.
        self.timer = handle.circuit().time_left().map(|left| {
            let mut timer = Box::pin(sleep(left.max(TICK)));
            if timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
            timer
        });
        Poll::Pending
    }

    /// The reserved permit, if it is still good for a call.
    pub(super) fn take(&mut self) -> Option<Permit> {
        let mut reserved = self.reserved.take().filter(Reserved::is_current)?;
        reserved.0.take().map(Permit::begins)
    }
}

impl Reserved {
    fn is_current(&self) -> bool {
        self.0.as_ref().is_some_and(Permit::is_current)
    }
}
