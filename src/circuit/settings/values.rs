//! Settings that were checked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{SettingsBuilder, SlidingWindow};
use crate::circuit::invalid::InvalidSettings;

fn default_max_recovery_timeout(recovery_timeout: Duration) -> Duration {
    recovery_timeout.max(Duration::from_secs(300))
}

/// The settings of a circuit. A value of this type has been checked and cannot be wrong.
///
/// Serialised, durations are text and what is switched off is `"off"`; fields that are missing have
/// their defaults, and unknown fields are refused.
///
/// ```
/// use std::time::Duration;
/// use tower_breaker::{Settings, SlidingWindow};
///
/// let settings = Settings::builder()
///     .failure_threshold(None)
///     .failure_rate_threshold(0.5)
///     .sliding_window(SlidingWindow::time(Duration::from_secs(30)))
///     .recovery_timeout(Duration::from_secs(20))
///     .build()?;
///
/// let same: Settings = serde_json::from_str(
///     r#"{
///         "failure_threshold": "off",
///         "failure_rate_threshold": 0.5,
///         "sliding_window": { "time": { "duration": "30s" } },
///         "recovery_timeout": "20s"
///     }"#,
/// )?;
/// assert_eq!(settings, same);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SettingsBuilder", into = "SettingsBuilder")]
pub struct Settings {
    values: SettingsBuilder,
}

impl Default for Settings {
    fn default() -> Self {
        Self::checked(SettingsBuilder::default())
    }
}

impl TryFrom<SettingsBuilder> for Settings {
    type Error = InvalidSettings;

    fn try_from(builder: SettingsBuilder) -> Result<Self, Self::Error> {
        builder.build()
    }
}

impl From<Settings> for SettingsBuilder {
    fn from(settings: Settings) -> Self {
        settings.values
    }
}

impl Settings {
    /// Starts from the defaults.
    pub fn builder() -> SettingsBuilder {
        SettingsBuilder::default()
    }

    /// Starts from these settings, to change some of them.
    ///
    /// A maximum of the recovery timeout that was not set follows the recovery timeout.
    pub fn to_builder(&self) -> SettingsBuilder {
        let mut values = self.values.clone();
        let default = default_max_recovery_timeout(values.recovery_timeout);
        values.max_recovery_timeout.take_if(|longest| *longest == default);
        values
    }

    pub(super) fn checked(mut values: SettingsBuilder) -> Self {
        let default = default_max_recovery_timeout(values.recovery_timeout);
        values.max_recovery_timeout.get_or_insert(default);
        Self { values }
    }

    /// See [`SettingsBuilder::failure_threshold`].
    #[must_use]
    pub fn failure_threshold(&self) -> Option<u32> {
        self.values.failure_threshold
    }

    /// See [`SettingsBuilder::failure_rate_threshold`].
    #[must_use]
    pub fn failure_rate_threshold(&self) -> Option<f64> {
        self.values.failure_rate_threshold
    }

    /// See [`SettingsBuilder::slow_call_rate_threshold`].
    #[must_use]
    pub fn slow_call_rate_threshold(&self) -> Option<f64> {
        self.values.slow_call_rate_threshold
    }

    /// See [`SettingsBuilder::slow_call_duration_threshold`].
    #[must_use]
    pub fn slow_call_duration_threshold(&self) -> Duration {
        self.values.slow_call_duration_threshold
    }

    /// See [`SettingsBuilder::slow_calls_in_flight`].
    #[must_use]
    pub fn slow_calls_in_flight(&self) -> bool {
        self.values.slow_calls_in_flight
    }

    /// See [`SettingsBuilder::sliding_window`].
    #[must_use]
    pub fn sliding_window(&self) -> SlidingWindow {
        self.values.sliding_window
    }

    /// See [`SettingsBuilder::minimum_number_of_calls`].
    #[must_use]
    pub fn minimum_number_of_calls(&self) -> u32 {
        self.values.minimum_number_of_calls
    }

    /// See [`SettingsBuilder::recovery_timeout`].
    #[must_use]
    pub fn recovery_timeout(&self) -> Duration {
        self.values.recovery_timeout
    }

    /// See [`SettingsBuilder::recovery_timeout_multiplier`].
    #[must_use]
    pub fn recovery_timeout_multiplier(&self) -> f64 {
        self.values.recovery_timeout_multiplier
    }

    /// See [`SettingsBuilder::max_recovery_timeout`].
    #[must_use]
    pub fn max_recovery_timeout(&self) -> Duration {
        self.values.max_recovery_timeout.unwrap_or(self.values.recovery_timeout)
    }

    /// See [`SettingsBuilder::jitter`].
    #[must_use]
    pub fn jitter(&self) -> f64 {
        self.values.jitter
    }

    /// See [`SettingsBuilder::max_retry_after`].
    #[must_use]
    pub fn max_retry_after(&self) -> Duration {
        self.values.max_retry_after
    }

    /// See [`SettingsBuilder::permitted_calls_in_half_open`].
    #[must_use]
    pub fn permitted_calls_in_half_open(&self) -> u32 {
        self.values.permitted_calls_in_half_open
    }

    /// See [`SettingsBuilder::success_rate_threshold`].
    #[must_use]
    pub fn success_rate_threshold(&self) -> f64 {
        self.values.success_rate_threshold
    }

    /// See [`SettingsBuilder::max_wait_in_half_open`].
    #[must_use]
    pub fn max_wait_in_half_open(&self) -> Option<Duration> {
        self.values.max_wait_in_half_open
    }

    /// Whether anything is computed over a window.
    pub(crate) fn has_window(&self) -> bool {
        self.values.failure_rate_threshold.is_some() || self.detects_slow_calls()
    }

    /// Whether the duration of a finished call can matter.
    pub(crate) fn detects_slow_calls(&self) -> bool {
        self.values.slow_call_rate_threshold.is_some()
    }
}
