//! The one place where settings are checked.

use std::{fmt::Display, time::Duration};

use super::{SlidingWindow, builder::SettingsBuilder};
use crate::circuit::invalid::{InvalidField, InvalidSettings};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const MILLISECOND: Duration = Duration::from_millis(1);

/// What the circuit can work with. The upper bounds keep memory and waiting times bounded; they are
/// far above what a breaker is set to.
pub(super) fn check(settings: &SettingsBuilder) -> Result<(), InvalidSettings> {
    let mut check = Check::default();
    let s = settings;

    if let Some(failures) = s.failure_threshold {
        check.count("failure_threshold", failures, 1_000_000, "from 1 to 1000000");
    } else if s.failure_rate_threshold.is_none() && s.slow_call_rate_threshold.is_none() {
        check.refuse(
            "failure_threshold",
            "off",
            "set, or failure_rate_threshold or slow_call_rate_threshold, or nothing could ever open \
             the circuit",
        );
    }
    if let Some(share) = s.failure_rate_threshold {
        check.share("failure_rate_threshold", share);
    }
    if let Some(share) = s.slow_call_rate_threshold {
        check.share("slow_call_rate_threshold", share);
    }
    check.duration("slow_call_duration_threshold", s.slow_call_duration_threshold, DAY);
    check.window(s.sliding_window, s.minimum_number_of_calls);
    check.duration("recovery_timeout", s.recovery_timeout, MONTH);
    if !(1.0..=100.0).contains(&s.recovery_timeout_multiplier) {
        let value = s.recovery_timeout_multiplier;
        check.refuse("recovery_timeout_multiplier", value, "from 1 to 100");
    }
    if let Some(longest) = s.max_recovery_timeout
        && (longest < s.recovery_timeout || longest > MONTH)
    {
        let value = humantime::format_duration(longest);
        check.refuse("max_recovery_timeout", value, "from recovery_timeout to 30days");
    }
    if !(0.0..=1.0).contains(&s.jitter) {
        check.refuse("jitter", s.jitter, "from 0 to 1");
    }
    check.duration("max_retry_after", s.max_retry_after, MONTH);
    let probes = s.permitted_calls_in_half_open;
    check.count("permitted_calls_in_half_open", probes, 10_000, "from 1 to 10000");
    check.share("success_rate_threshold", s.success_rate_threshold);
    if let Some(wait) = s.max_wait_in_half_open {
        check.duration("max_wait_in_half_open", wait, MONTH);
    }
    check.finish()
}

#[derive(Default)]
struct Check {
    fields: Vec<InvalidField>,
}

impl Check {
    fn refuse(&mut self, field: &'static str, value: impl Display, bound: &'static str) {
        self.fields.push(InvalidField { field, value: value.to_string(), bound });
    }

    fn count(&mut self, field: &'static str, value: u32, most: u32, bound: &'static str) {
        if value == 0 || value > most {
            self.refuse(field, value, bound);
        }
    }

    fn share(&mut self, field: &'static str, share: f64) {
        // Written so that a NaN is refused.
        if !(share > 0.0 && share <= 1.0) {
            self.refuse(field, share, "more than 0 and at most 1");
        }
    }

    fn duration(&mut self, field: &'static str, value: Duration, most: Duration) {
        if value < MILLISECOND || value > most {
            let bound = if most == DAY { "from 1ms to 1day" } else { "from 1ms to 30days" };
            self.refuse(field, humantime::format_duration(value), bound);
        }
    }

    fn window(&mut self, window: SlidingWindow, minimum: u32) {
        match window {
            SlidingWindow::Count { calls } => {
                self.count("sliding_window.count.calls", calls, 1_000_000, "from 1 to 1000000");
                if minimum == 0 || minimum > calls {
                    let bound =
                        "from 1 to sliding_window.count.calls, which could never be reached";
                    self.refuse("minimum_number_of_calls", minimum, bound);
                }
            }
            SlidingWindow::Time { duration, slices } => {
                self.duration("sliding_window.time.duration", duration, DAY);
                if slices == 0 || slices > 1000 || duration < MILLISECOND * slices {
                    let bound = "from 1 to 1000, and no slice shorter than 1ms";
                    self.refuse("sliding_window.time.slices", slices, bound);
                }
                if minimum == 0 {
                    self.refuse("minimum_number_of_calls", minimum, "at least 1");
                }
            }
        }
    }

    fn finish(self) -> Result<(), InvalidSettings> {
        if self.fields.is_empty() { Ok(()) } else { Err(InvalidSettings { fields: self.fields }) }
    }
}
