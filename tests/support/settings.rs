//! Settings in a few words. They need nothing of the crate but `circuit`.

use std::time::Duration;

use tower_breaker::{Settings, SlidingWindow, circuit::SettingsBuilder};

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const NANO: Duration = Duration::from_nanos(1);

/// The defaults without jitter: 5 failures in a row open for 60 s, two of three probes close.
pub(crate) fn plain() -> SettingsBuilder {
    Settings::builder().jitter(0.0)
}

/// Nothing but a failure rate.
pub(crate) fn rate(threshold: f64, window: SlidingWindow, minimum: u32) -> SettingsBuilder {
    plain()
        .failure_threshold(None)
        .failure_rate_threshold(threshold)
        .sliding_window(window)
        .minimum_number_of_calls(minimum)
}

/// Nothing but a slow-call rate, where a call of a second is slow.
pub(crate) fn slow_rate(threshold: f64, calls: u32, minimum: u32) -> SettingsBuilder {
    plain()
        .failure_threshold(None)
        .slow_call_rate_threshold(threshold)
        .slow_call_duration_threshold(secs(1))
        .sliding_window(SlidingWindow::count(calls))
        .minimum_number_of_calls(minimum)
}
