//! Tasks that wait for a circuit to change its mind.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use slab::Slab;

/// The wakers of the tasks that wait, one for each.
#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<Slab<Option<Waker>>>);

impl Waiters {
    /// Wakes all. Called after a change of the gate, outside the circuit's lock.
    ///
    /// A task registers before it looks at the gate, and both take this lock: either the task is
    /// found here, or it sees the change. Wakers are the user's: they are cloned, woken and dropped
    /// outside of it.
    pub(super) fn wake(&self) {
        let wakers: Vec<Waker> =
            self.lock().iter_mut().filter_map(|(_, waker)| waker.take()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Option<Waker>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One task's place among the waiters, given up on drop.
#[derive(Debug)]
pub(crate) struct Waiting {
    waiters: Arc<Waiters>,
    key: usize,
}

impl Waiting {
    pub(super) fn new(waiters: Arc<Waiters>) -> Self {
        let key = waiters.lock().insert(None);
        Self { waiters, key }
    }

    /// Sets whom to wake at the next change. To be followed by a look at the circuit.
    pub(crate) fn register(&self, waker: &Waker) {
        let known = self.waiters.lock()[self.key].as_ref().is_some_and(|it| it.will_wake(waker));
        if !known {
            let waker = waker.clone();
            let old = self.waiters.lock()[self.key].replace(waker);
            drop(old);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let waker = self.waiters.lock().remove(self.key);
        drop(waker);
    }
}
