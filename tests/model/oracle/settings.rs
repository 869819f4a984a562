//! The settings, and their bounds.

const NS_PER_MS: u64 = 1_000_000;
const DAY: u64 = 24 * 3600 * 1000 * NS_PER_MS;

/// The settings of one circuit, durations in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleSettings {
    /// Failures in a row that open the circuit.
    pub failure_threshold: Option<u32>,
    /// The share of failures in the window that opens the circuit.
    pub failure_rate_threshold: Option<f64>,
    /// The share of slow calls in the window that opens the circuit.
    pub slow_call_rate_threshold: Option<f64>,
    /// A call that took this long is slow.
    pub slow_call_duration_threshold: u64,
    /// Whether calls in flight that are already slow count for the slow-call rate.
    pub slow_calls_in_flight: bool,
    /// What the rates are taken over.
    pub window: OracleWindow,
    /// Calls below which no rate is judged.
    pub minimum_number_of_calls: u32,
    /// The open time before any failed recovery.
    pub recovery_timeout: u64,
    /// How the open time grows with each failed recovery in a row.
    pub recovery_timeout_multiplier: f64,
    /// The longest open time that growing leads to.
    pub max_recovery_timeout: u64,
    /// The longest Retry-After that is obeyed.
    pub max_retry_after: u64,
    /// Probes in a round.
    pub permitted_calls_in_half_open: u32,
    /// The share of the permitted probes that must succeed to close.
    pub success_rate_threshold: f64,
    /// How long a round may last.
    pub max_wait_in_half_open: Option<u64>,
}

/// What the rates are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OracleWindow {
    /// The last calls, this many.
    Count(u32),
    /// The last slices of time.
    Time {
        /// The length of all slices together.
        duration: u64,
        /// How many there are.
        slices: u64,
    },
}

impl Default for OracleSettings {
    fn default() -> Self {
        Self {
            failure_threshold: Some(5),
            failure_rate_threshold: None,
            slow_call_rate_threshold: None,
            slow_call_duration_threshold: 10_000 * NS_PER_MS,
            slow_calls_in_flight: true,
            window: OracleWindow::Count(100),
            minimum_number_of_calls: 20,
            recovery_timeout: 60_000 * NS_PER_MS,
            recovery_timeout_multiplier: 2.0,
            max_recovery_timeout: 300_000 * NS_PER_MS,
            max_retry_after: 3_600_000 * NS_PER_MS,
            permitted_calls_in_half_open: 3,
            success_rate_threshold: 0.5,
            max_wait_in_half_open: Some(120_000 * NS_PER_MS),
        }
    }
}

impl OracleSettings {
    /// The fields that the bounds of the documentation refuse, each once.
    pub fn invalid_fields(&self) -> Vec<&'static str> {
        let rate = |x: f64| x > 0.0 && x <= 1.0;
        let mut bad = Vec::new();
        let mut check = |field, fine: bool| {
            if !fine && !bad.contains(&field) {
                bad.push(field);
            }
        };
        check(
            "failure_threshold",
            self.failure_threshold.is_some()
                || self.failure_rate_threshold.is_some()
                || self.slow_call_rate_threshold.is_some(),
        );
        check(
            "failure_threshold",
            self.failure_threshold.is_none_or(|n| (1..=1_000_000).contains(&n)),
        );
        check("failure_rate_threshold", self.failure_rate_threshold.is_none_or(rate));
        check("slow_call_rate_threshold", self.slow_call_rate_threshold.is_none_or(rate));
        check(
            "slow_call_duration_threshold",
            (NS_PER_MS..=DAY).contains(&self.slow_call_duration_threshold),
        );
        match self.window {
            OracleWindow::Count(calls) => {
                check("sliding_window", (1..=1_000_000).contains(&calls));
                check("minimum_number_of_calls", self.minimum_number_of_calls <= calls);
            }
            OracleWindow::Time { duration, slices } => check(
                "sliding_window",
                (NS_PER_MS..=DAY).contains(&duration)
                    && (1..=1000).contains(&slices)
                    && duration >= slices * NS_PER_MS,
            ),
        }
        check("minimum_number_of_calls", self.minimum_number_of_calls >= 1);
        check("recovery_timeout", (NS_PER_MS..=30 * DAY).contains(&self.recovery_timeout));
        check(
            "recovery_timeout_multiplier",
            (1.0..=100.0).contains(&self.recovery_timeout_multiplier),
        );
        check(
            "max_recovery_timeout",
            self.max_recovery_timeout >= self.recovery_timeout
                && self.max_recovery_timeout <= 30 * DAY,
        );
        check("max_retry_after", self.max_retry_after <= 30 * DAY);
        check(
            "permitted_calls_in_half_open",
            (1..=10_000).contains(&self.permitted_calls_in_half_open),
        );
        check("success_rate_threshold", rate(self.success_rate_threshold));
        bad
    }

    pub(super) fn keeps_window(&self) -> bool {
        self.failure_rate_threshold.is_some() || self.slow_call_rate_threshold.is_some()
    }

    pub(super) fn is_slow(&self, elapsed: u64) -> bool {
        self.slow_call_rate_threshold.is_some() && elapsed >= self.slow_call_duration_threshold
    }

    /// The open time after `reopens` recoveries failed in a row.
    pub(super) fn backoff(&self, reopens: u32) -> u64 {
        let power = i32::try_from(reopens).unwrap_or(i32::MAX);
        let grown = self.recovery_timeout as f64 * self.recovery_timeout_multiplier.powi(power);
        if grown >= self.max_recovery_timeout as f64 {
            self.max_recovery_timeout
        } else {
            grown.round() as u64
        }
    }
}
