//! Sliding windows: the last N calls, or the calls of the last while.
//!
//! Both keep running totals, so a verdict costs the same whatever the size of the window, and both
//! take a run of successes in one step.

mod count;
mod time;

use crate::circuit::{
    moment::Moment,
    settings::{Settings, SlidingWindow},
};

use self::{count::CountWindow, time::TimeWindow};

/// How many calls a window holds, and how many of them failed or were slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Counts {
    /// All calls that were counted.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
    /// Those that were slow, failed or not.
    pub slow_calls: u64,
}

impl Counts {
    /// The share of the calls that failed; none without calls.
    #[must_use]
    pub fn failure_rate(&self) -> Option<f64> {
        rate(self.failures, self.calls)
    }

    /// The share of the calls that were slow; none without calls.
    #[must_use]
    pub fn slow_call_rate(&self) -> Option<f64> {
        rate(self.slow_calls, self.calls)
    }

    pub(super) fn add(&mut self, failed: bool, slow: bool) {
        self.calls += 1;
        self.failures += u64::from(failed);
        self.slow_calls += u64::from(slow);
    }
}

fn rate(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// The window of a circuit that has a rate to compute.
#[derive(Clone, Debug)]
pub(super) enum Window {
    Count(CountWindow),
    Time(TimeWindow),
}

impl Window {
    pub(super) fn new(settings: &Settings) -> Option<Box<Self>> {
        settings.has_window().then(|| Box::new(Self::of(settings.sliding_window())))
    }

    fn of(window: SlidingWindow) -> Self {
        match window {
            SlidingWindow::Count { calls } => Self::Count(CountWindow::new(calls)),
            SlidingWindow::Time { duration, slices } => {
                Self::Time(TimeWindow::new(duration, slices))
            }
        }
    }

    /// What the window held when it was last moved.
    pub(super) fn counts(&self) -> Counts {
        match self {
            Self::Count(window) => window.counts(),
            Self::Time(window) => window.counts(),
        }
    }

    /// Lets go of what is too old at `now`.
    pub(super) fn roll(&mut self, now: Moment) {
        match self {
            Self::Count(_) => {}
            Self::Time(window) => window.roll(now),
        }
    }

    /// Books one call. What is too old at `now` has left before.
    pub(super) fn record(&mut self, failed: bool, slow: bool, now: Moment) {
        match self {
            Self::Count(window) => window.record(failed, slow),
            Self::Time(window) => {
                window.roll(now);
                window.record(failed, slow);
            }
        }
    }

    /// Books plain successes where the window stands.
    pub(super) fn record_successes(&mut self, successes: u64) {
        match self {
            Self::Count(window) => window.record_successes(successes),
            Self::Time(window) => window.record_successes(successes),
        }
    }

    /// How many calls the window can hold.
    pub(super) fn capacity(&self) -> u64 {
        match self {
            Self::Count(window) => window.capacity(),
            Self::Time(_) => u64::MAX,
        }
    }

    /// When the window moves by itself.
    pub(super) fn moves_at(&self) -> Moment {
        match self {
            Self::Count(_) => Moment::MAX,
            Self::Time(window) => window.moves_at(),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Self::Count(window) => window.clear(),
            Self::Time(window) => window.clear(),
        }
    }

    /// The window for new settings, with what this one holds: its newest calls where the kind stays,
    /// its totals booked at `now` where the order or the times of the calls are not known.
    pub(super) fn resized(&self, settings: SlidingWindow, now: Moment) -> Self {
        match (self, settings) {
            (Self::Count(window), SlidingWindow::Count { calls }) => {
                Self::Count(window.resized(calls))
            }
            (Self::Time(window), SlidingWindow::Time { duration, slices }) => {
                Self::Time(window.resized(duration, slices, now))
            }
            (Self::Count(window), SlidingWindow::Time { duration, slices }) => {
                let mut next = TimeWindow::new(duration, slices);
                next.roll(now);
                next.book(window.counts());
                Self::Time(next)
            }
            (Self::Time(window), SlidingWindow::Count { calls }) => {
                let mut next = CountWindow::new(calls);
                next.book(window.counts());
                Self::Count(next)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn counts(calls: u64, failures: u64, slow_calls: u64) -> Counts {
        Counts { calls, failures, slow_calls }
    }

    #[test]
    fn rates_are_none_without_calls() {
        assert_eq!(Counts::default().failure_rate(), None);
        assert_eq!(Counts::default().slow_call_rate(), None);
        assert_eq!(counts(4, 1, 3).failure_rate(), Some(0.25));
        assert_eq!(counts(4, 1, 3).slow_call_rate(), Some(0.75));
    }

    #[test]
    fn totals_survive_a_change_of_kind() {
        let now = Moment::from_nanos(5_000_000_000);
        let mut window = Window::of(SlidingWindow::count(10));
        for call in 0..6 {
            window.record(call % 2 == 0, call < 2, now);
        }
        let time = window.resized(SlidingWindow::time(Duration::from_secs(10)), now);
        assert_eq!(time.counts(), counts(6, 3, 2));
        assert!(matches!(time, Window::Time(_)));

        let count = time.resized(SlidingWindow::count(8), now);
        assert_eq!(count.counts(), counts(6, 3, 2));
        assert!(matches!(count, Window::Count(_)));
    }
}
