//! Where a breaker gets its time from.
//!
//! Unless told otherwise, a breaker uses the processor's time stamp counter where the system has a
//! reliable one, and the operating system's monotonic clock elsewhere. Durations are always measured
//! on a monotonic clock; the wall clock only stamps what people read.
//!
//! A test hands its breaker a `ManualClock`, or a `TokioClock` that follows tokio's paused time
//! (both with the feature `test-util`). Any other source of time implements [`Clock`].

mod fast;
#[cfg(any(test, feature = "test-util"))]
mod manual;
mod source;
#[cfg(any(test, feature = "test-util"))]
mod tokio;

use std::{fmt::Debug, sync::Arc, time::SystemTime};

use crate::circuit::Moment;

pub(crate) use self::source::ClockSource;
#[cfg(any(test, feature = "test-util"))]
pub use self::{manual::ManualClock, tokio::TokioClock};

/// The wall clock, to compare with what a server says the time is.
#[cfg(feature = "http")]
#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// A source of time.
///
/// It is read under the locks of a breaker: it must not use the breaker, and must not panic.
///
/// A clock that stands still keeps open circuits open and lets nothing become slow. One that goes
/// backwards keeps them open for as long again, and calls that end meanwhile took no time. Neither
/// makes a breaker panic or admit a call early.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time on a monotonic clock, from any origin.
    fn now(&self) -> Moment;

    /// The time for people.
    fn wall(&self) -> SystemTime;

    /// The time on a monotonic clock that goes on while the machine is suspended, from any origin:
    /// what leave to probe, which other processes wait for, is counted on. Default: that of
    /// [`now`](Self::now).
    fn boot(&self) -> Moment {
        self.now()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Moment {
        (**self).now()
    }

    fn wall(&self) -> SystemTime {
        (**self).wall()
    }

    fn boot(&self) -> Moment {
        (**self).boot()
    }
}
