//! The time that all processes of a machine share, and clocks that are wrong.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use rustix::time::{ClockId, clock_gettime};
use tower_breaker::{breaker::clock::Clock, circuit::Moment};

/// Nanoseconds since the machine was started, suspended time included: the same in all processes.
#[must_use]
pub fn boot() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
}

/// A clock whose origin is somewhere else, and whose wall clock is set wrong and may be set anew.
#[derive(Clone, Debug)]
pub struct WrongClock {
    offset: Duration,
    wall: Arc<AtomicI64>,
}

impl WrongClock {
    /// A clock that shows so much more than the machine's, and a wall clock that is so many seconds
    /// late or early.
    #[must_use]
    pub fn new(offset: Duration, wall: i64) -> Self {
        Self { offset, wall: Arc::new(AtomicI64::new(wall)) }
    }

    /// Sets the wall clock anew, seconds from the right time.
    pub fn set_wall(&self, seconds: i64) {
        self.wall.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for WrongClock {
    fn now(&self) -> Moment {
        Moment::from_nanos(boot()) + self.offset
    }

    fn wall(&self) -> SystemTime {
        let shift = self.wall.load(Ordering::Relaxed);
        let by = Duration::from_secs(shift.unsigned_abs());
        if shift < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    }
}
