//! The clock of a breaker, in ticks.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{Clock, fast::FastClock};
use crate::circuit::Moment;

/// The clock of a breaker. Ticks are whatever is cheapest to read and compare: they grow with time,
/// and are scaled to nanoseconds only under the lock.
#[derive(Clone, Debug)]
pub(crate) enum ClockSource {
    Fast(&'static FastClock),
    Custom(Arc<dyn Clock>),
}

impl ClockSource {
    pub(crate) fn fast() -> Self {
        Self::Fast(FastClock::get())
    }

    #[inline(always)]
    pub(crate) fn ticks(&self) -> u64 {
        match self {
            Self::Fast(fast) => fast.ticks(),
            Self::Custom(clock) => clock.now().as_nanos(),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        self.moment(self.ticks())
    }

    /// The time on a clock that also counts while the machine is suspended, where there is one. Not
    /// to be compared with [`now`](Self::now), which may not.
    pub(crate) fn boot(&self) -> Moment {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Fast(_) => {
                let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
                Moment::ZERO + seconds + Duration::from_nanos(time.tv_nsec.unsigned_abs())
            }
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Self::Fast(_) => self.now(),
            Self::Custom(clock) => clock.boot(),
        }
    }

    pub(crate) fn moment(&self, ticks: u64) -> Moment {
        match self {
            Self::Fast(fast) => Moment::from_nanos(fast.nanos(ticks)),
            Self::Custom(_) => Moment::from_nanos(ticks),
        }
    }

    /// The ticks from which on `moment` is reached; the last tick for the end of time.
    pub(crate) fn ticks_at(&self, moment: Moment) -> u64 {
        match self {
            Self::Fast(_) if moment == Moment::MAX => u64::MAX,
            Self::Fast(fast) => fast.ticks_at(moment.as_nanos()),
            Self::Custom(_) => moment.as_nanos(),
        }
    }

    /// The ticks that are at least `duration`.
    pub(crate) fn ticks_for(&self, duration: Duration) -> u64 {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        match self {
            Self::Fast(fast) => fast.ticks_for(nanos),
            Self::Custom(_) => nanos,
        }
    }

    /// The duration of so many ticks.
    pub(crate) fn duration(&self, ticks: u64) -> Duration {
        Duration::from_nanos(match self {
            Self::Fast(fast) => fast.nanos_for(ticks),
            Self::Custom(_) => ticks,
        })
    }

    pub(crate) fn wall(&self) -> SystemTime {
        match self {
            #[allow(clippy::disallowed_methods, reason = "this is the clock module")]
            Self::Fast(_) => SystemTime::now(),
            Self::Custom(clock) => clock.wall(),
        }
    }
}
