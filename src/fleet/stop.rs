//! How tasks are told to end.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

/// How long tasks have whose owner is dropped without a word.
const UNSAID: Duration = Duration::from_secs(1);

/// Tells tasks to end. They are told too when it is dropped.
#[derive(Debug)]
pub(crate) struct Stopper(watch::Sender<Option<Instant>>);

/// Hears when to end.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<Option<Instant>>);

/// One that tells, and one that hears.
pub(crate) fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Tells the tasks to end what they do within a duration.
    pub(crate) fn stop(&self, deadline: Duration) {
        let now = now();
        // A deadline that no clock can show is as good as none: a year.
        let year = Duration::from_secs(365 * 86_400);
        self.0.send_replace(Some(now + deadline.min(year)));
    }
}

#[expect(clippy::disallowed_methods, reason = "a deadline of tokio's own timers")]
fn now() -> Instant {
    Instant::now()
}

impl Stop {
    /// Whether it is time to end.
    pub(crate) fn is_set(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }

    /// Completes when it is time to end. Cancel safe.
    pub(crate) async fn set(&self) {
        // Dropped without a word is told too.
        let _ = self.0.clone().wait_for(Option::is_some).await;
    }

    /// Completes when all has to be done. Cancel safe, but for one that was dropped without a word
    /// the time begins anew.
    pub(crate) async fn over(&self) {
        self.set().await;
        let deadline = *self.0.borrow();
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => tokio::time::sleep(UNSAID).await,
        }
    }

    /// Completes when it is time to end, with the time that is left for that. Cancel safe.
    pub(crate) async fn left(self) -> Duration {
        self.set().await;
        let deadline = *self.0.borrow();
        deadline.map_or(UNSAID, |deadline| deadline.saturating_duration_since(now()))
    }
}
