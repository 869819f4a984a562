//! Who writes next, where one can write at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard, Notify};

use super::urgency::Urgency;

/// Lets one write in at a time: transitions in the order they come, batches when no transition
/// waits. A transition waits for one batch at most.
#[derive(Debug, Default)]
pub(super) struct Gate {
    writing: Mutex<()>,
    /// Held by the one batch that is next.
    next_batch: Mutex<()>,
    transitions: AtomicUsize,
    /// Told when no transition waits any more.
    calm: Notify,
}

/// The right to write.
#[derive(Debug)]
pub(super) struct Entered<'a>(#[expect(dead_code, reason = "it is held")] MutexGuard<'a, ()>);

impl Gate {
    pub(super) async fn enter(&self, urgency: Urgency) -> Entered<'_> {
        match urgency {
            Urgency::Transition => {
                let _waiting = Waiting::new(self);
                Entered(self.writing.lock().await)
            }
            Urgency::Batch => {
                let _next = self.next_batch.lock().await;
                loop {
                    let calm = self.calm.notified();
                    if self.transitions.load(Ordering::SeqCst) > 0 {
                        calm.await;
                        continue;
                    }
                    let entered = self.writing.lock().await;
                    // One may have come while this waited.
                    if self.transitions.load(Ordering::SeqCst) == 0 {
                        return Entered(entered);
                    }
                }
            }
        }
    }
}

/// A transition that waits, also one that gives up.
struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn new(gate: &'a Gate) -> Self {
        gate.transitions.fetch_add(1, Ordering::SeqCst);
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.0.transitions.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.calm.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_test::{assert_pending, assert_ready, task::spawn};

    use super::*;

    #[test]
    fn a_transition_goes_before_the_batches_that_wait() {
        let gate = Gate::default();
        let mut running = spawn(gate.enter(Urgency::Batch));
        let writing = assert_ready!(running.poll());
        let mut second = spawn(gate.enter(Urgency::Batch));
        assert_pending!(second.poll());
        let mut third = spawn(gate.enter(Urgency::Batch));
        assert_pending!(third.poll());
        let mut transition = spawn(gate.enter(Urgency::Transition));
        assert_pending!(transition.poll());

        drop(writing);
        assert_pending!(second.poll());
        let writing = assert_ready!(transition.poll());
        drop(transition);
        assert_pending!(second.poll());
        drop(writing);
        drop(assert_ready!(second.poll()));
        drop(second);
        assert_ready!(third.poll());
    }

    #[test]
    fn a_transition_that_gives_up_lets_the_batches_go_on() {
        let gate = Arc::new(Gate::default());
        let mut first = spawn(gate.enter(Urgency::Transition));
        let writing = assert_ready!(first.poll());
        let mut batch = spawn(gate.enter(Urgency::Batch));
        {
            let mut waiting = spawn(gate.enter(Urgency::Transition));
            assert_pending!(waiting.poll());
            assert_pending!(batch.poll());
        }
        drop(writing);
        assert!(batch.is_woken());
        assert_ready!(batch.poll());
    }
}
