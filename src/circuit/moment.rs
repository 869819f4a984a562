//! A point in time, as the circuit is handed it.

use std::{ops::Add, time::Duration};

/// A point on a monotonic clock: whole nanoseconds since an origin that the clock chose.
///
/// Only moments of the same clock can be compared. Arithmetic saturates at both ends, so a
/// duration near the maximum means "never" and a clock that went backwards means "no time passed".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);

    /// The end of time, used for "never".
    pub const MAX: Self = Self(u64::MAX);

    /// The moment `nanos` nanoseconds after the clock's origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this moment, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `duration` before this one, or the origin if that is nearer.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

/// A duration in nanoseconds, saturating at 584 years.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Moment::MAX + Duration::MAX;
        assert_eq!(late, Moment::MAX);
        assert_eq!(Moment::ZERO.before(Duration::MAX), Moment::ZERO);
        assert_eq!(Moment::ZERO.since(late), Duration::ZERO);
        assert_eq!(late.since(Moment::ZERO), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn a_moment_is_the_sum_of_its_parts() {
        let moment = Moment::from_nanos(7) + Duration::from_secs(1);
        assert_eq!(moment.as_nanos(), 1_000_000_007);
        assert_eq!(moment.since(Moment::from_nanos(7)), Duration::from_secs(1));
        assert_eq!(moment.before(Duration::from_secs(1)), Moment::from_nanos(7));
    }
}
