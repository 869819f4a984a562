//! Settings before they are checked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{SlidingWindow, values::Settings};
use crate::circuit::{duration, invalid::InvalidSettings};

/// Settings that have not been checked yet; [`build`](Self::build) checks them.
///
/// Its serialised form is that of [`Settings`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use = "settings do nothing until they are built and given to a breaker"]
pub struct SettingsBuilder {
    #[serde(with = "duration::off")]
    pub(super) failure_threshold: Option<u32>,
    #[serde(with = "duration::off")]
    pub(super) failure_rate_threshold: Option<f64>,
    #[serde(with = "duration::off")]
    pub(super) slow_call_rate_threshold: Option<f64>,
    #[serde(with = "duration")]
    pub(super) slow_call_duration_threshold: Duration,
    pub(super) slow_calls_in_flight: bool,
    pub(super) sliding_window: SlidingWindow,
    pub(super) minimum_number_of_calls: u32,
    #[serde(with = "duration")]
    pub(super) recovery_timeout: Duration,
    pub(super) recovery_timeout_multiplier: f64,
    /// The default depends on the recovery timeout, so it is filled in when the settings are built.
    #[serde(with = "duration::some", skip_serializing_if = "Option::is_none")]
    pub(super) max_recovery_timeout: Option<Duration>,
    pub(super) jitter: f64,
    #[serde(with = "duration")]
    pub(super) max_retry_after: Duration,
    pub(super) permitted_calls_in_half_open: u32,
    pub(super) success_rate_threshold: f64,
    #[serde(with = "duration::off_duration")]
    pub(super) max_wait_in_half_open: Option<Duration>,
}

impl Default for SettingsBuilder {
    fn default() -> Self {
        Self {
            failure_threshold: Some(5),
            failure_rate_threshold: None,
            slow_call_rate_threshold: None,
            slow_call_duration_threshold: Duration::from_secs(10),
            slow_calls_in_flight: true,
            sliding_window: SlidingWindow::count(100),
            minimum_number_of_calls: 20,
            recovery_timeout: Duration::from_secs(60),
            recovery_timeout_multiplier: 2.0,
            max_recovery_timeout: None,
            jitter: 0.1,
            max_retry_after: Duration::from_secs(3600),
            permitted_calls_in_half_open: 3,
            success_rate_threshold: 0.5,
            max_wait_in_half_open: Some(Duration::from_secs(120)),
        }
    }
}

impl SettingsBuilder {
    /// Opens after this many failures in a row, 1 to 1,000,000; `None` switches it off. Default 5.
    ///
    /// A run of failures does not age: only a success ends it.
    pub fn failure_threshold(mut self, failures: impl Into<Option<u32>>) -> Self {
        self.failure_threshold = failures.into();
        self
    }

    /// Opens when this share of the calls in the window failed, above 0 and up to 1; exactly at the
    /// share is over it. Off by default.
    ///
    /// Judged from [`minimum_number_of_calls`](Self::minimum_number_of_calls) on, after every
    /// result, a success too.
    pub fn failure_rate_threshold(mut self, share: impl Into<Option<f64>>) -> Self {
        self.failure_rate_threshold = share.into();
        self
    }

    /// Opens when this share of the calls in the window was slow, above 0 and up to 1. Off by
    /// default.
    pub fn slow_call_rate_threshold(mut self, share: impl Into<Option<f64>>) -> Self {
        self.slow_call_rate_threshold = share.into();
        self
    }

    /// A call that took at least this long is slow, 1 ms to 24 h. Default 10 s.
    ///
    /// It is also what makes a call that was dropped before it finished count as a failure, with
    /// or without a slow-call rate: a `Timeout` around the breaker drops the calls that hang.
    pub fn slow_call_duration_threshold(mut self, duration: Duration) -> Self {
        self.slow_call_duration_threshold = duration;
        self
    }

    /// Whether calls in flight that are already slow count towards the slow-call rate before they
    /// finish. Default true; acts only where a slow-call rate is set.
    ///
    /// A call is noticed up to a quarter of the slow-call duration after it became slow, never
    /// before. It counts once: while it is in flight as slow, then as the result it gives.
    pub fn slow_calls_in_flight(mut self, counted: bool) -> Self {
        self.slow_calls_in_flight = counted;
        self
    }

    /// The calls that the rates are computed over. Default: the last 100.
    ///
    /// It is kept only where a rate is set.
    pub fn sliding_window(mut self, window: SlidingWindow) -> Self {
        self.sliding_window = window;
        self
    }

    /// No rate is judged on fewer calls than this; at least 1, and no more than the window holds.
    /// Default 20.
    pub fn minimum_number_of_calls(mut self, calls: u32) -> Self {
        self.minimum_number_of_calls = calls;
        self
    }

    /// How long the circuit stays open before it asks for a probe, 1 ms to 30 days. Default 60 s.
    pub fn recovery_timeout(mut self, duration: Duration) -> Self {
        self.recovery_timeout = duration;
        self
    }

    /// By what the recovery timeout grows with each recovery that fails in a row, 1 to 100.
    /// Default 2.
    pub fn recovery_timeout_multiplier(mut self, multiplier: f64) -> Self {
        self.recovery_timeout_multiplier = multiplier;
        self
    }

    /// What the recovery timeout grows to at most, from the recovery timeout to 30 days.
    /// Default 5 min, or the recovery timeout where that is set to more.
    pub fn max_recovery_timeout(mut self, duration: Duration) -> Self {
        self.max_recovery_timeout = Some(duration);
        self
    }

    /// Lengthens each open time by a random share up to this one, 0 to 1, so that many breakers do
    /// not probe in step. Default 0.1: between 60 and 66 s for a timeout of 60 s.
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// What a server's Retry-After is cut down to, 1 ms to 30 days. Default 1 h.
    pub fn max_retry_after(mut self, duration: Duration) -> Self {
        self.max_retry_after = duration;
        self
    }

    /// How many probes a half-open round has, 1 to 10,000. Default 3.
    pub fn permitted_calls_in_half_open(mut self, calls: u32) -> Self {
        self.permitted_calls_in_half_open = calls;
        self
    }

    /// The share of the permitted probes that have to succeed to close, above 0 and up to 1.
    /// Default 0.5: two of three.
    pub fn success_rate_threshold(mut self, share: f64) -> Self {
        self.success_rate_threshold = share;
        self
    }

    /// A half-open round without a verdict after this long is a failed recovery, 1 ms to 30 days;
    /// `None` waits for ever. Default 120 s.
    pub fn max_wait_in_half_open(mut self, duration: impl Into<Option<Duration>>) -> Self {
        self.max_wait_in_half_open = duration.into();
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// Lists every field that is out of its bounds, with its value and the bound.
    pub fn build(self) -> Result<Settings, InvalidSettings> {
        super::check::check(&self)?;
        Ok(Settings::checked(self))
    }
}
