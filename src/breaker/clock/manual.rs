//! A clock that moves when it is told to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::Clock;
use crate::circuit::Moment;

/// A clock that stands still until it is told to move. Clones share their time.
///
/// Its wall clock starts at the Unix epoch and moves along.
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
    /// How long the machine was suspended, in nanoseconds.
    suspended: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock at its origin.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.set(self.now() + duration);
    }

    /// Lets time pass that only [`boot`](Clock::boot) counts.
    pub fn suspend(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.suspended.fetch_add(nanos, Ordering::AcqRel);
    }

    /// Moves the clock to a moment, backwards too.
    pub fn set(&self, moment: Moment) {
        self.nanos.store(moment.as_nanos(), Ordering::Release);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.nanos.load(Ordering::Acquire))
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.now().since(Moment::ZERO)
    }

    fn boot(&self) -> Moment {
        self.now() + Duration::from_nanos(self.suspended.load(Ordering::Acquire))
    }
}
