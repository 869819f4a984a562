//! Why a circuit changed its state.

use std::{fmt, time::Duration};

/// What opened a circuit: which bound was crossed, with the figures that crossed it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum TripReason {
    /// So many calls failed in a row.
    ConsecutiveFailures {
        /// The failures in a row.
        failures: u32,
        /// `failure_threshold`.
        threshold: u32,
    },
    /// The share of failed calls in the window is too high.
    FailureRate {
        /// The failed calls in the window.
        failures: u64,
        /// All calls in the window.
        calls: u64,
        /// `failure_rate_threshold`.
        threshold: f64,
    },
    /// The share of failed calls in the windows of all processes together is too high.
    FleetFailureRate {
        /// The failed calls in all windows.
        failures: u64,
        /// All calls in all windows.
        calls: u64,
        /// How many processes told of their windows.
        instances: u32,
        /// `failure_rate_threshold`.
        threshold: f64,
    },
    /// So many processes opened the circuit for themselves.
    Quorum {
        /// How many.
        votes: u32,
        /// How many it takes.
        quorum: u32,
    },
    /// The share of slow calls in the window is too high.
    SlowCallRate {
        /// The slow calls, those in flight included.
        slow_calls: u64,
        /// All calls in the window and the slow ones in flight.
        calls: u64,
        /// How many of the slow calls have not finished.
        in_flight: u32,
        /// `slow_call_rate_threshold`.
        threshold: f64,
    },
    /// So many probes failed that too few could still succeed.
    ProbesFailed {
        /// The probes that failed.
        failed: u32,
        /// The probes of the round.
        permitted: u32,
        /// `success_rate_threshold`.
        threshold: f64,
    },
    /// Too many probes were slow.
    ProbesSlow {
        /// The probes that were slow.
        slow: u32,
        /// The probes of the round.
        permitted: u32,
        /// `slow_call_rate_threshold`.
        threshold: f64,
    },
    /// The half-open round had no verdict in time.
    HalfOpenExpired {
        /// The probes that had finished.
        finished: u32,
        /// The probes of the round.
        permitted: u32,
        /// How long it lasted: `max_wait_in_half_open`, or twice what a coordinator granted.
        max_wait: Duration,
    },
    /// Another process that shares the circuit opened it.
    Adopted,
}

impl TripReason {
    /// A short name, for logs and stores: `failure_rate`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ConsecutiveFailures { .. } => "consecutive_failures",
            Self::FailureRate { .. } => "failure_rate",
            Self::FleetFailureRate { .. } => "fleet_failure_rate",
            Self::Quorum { .. } => "quorum",
            Self::SlowCallRate { .. } => "slow_call_rate",
            Self::ProbesFailed { .. } => "probes_failed",
            Self::ProbesSlow { .. } => "probes_slow",
            Self::HalfOpenExpired { .. } => "half_open_expired",
            Self::Adopted => "adopted",
        }
    }
}

impl fmt::Display for TripReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ConsecutiveFailures { failures, threshold } => {
                write!(f, "{failures} failures in a row (threshold {threshold})")
            }
            Self::FailureRate { failures, calls, threshold } => {
                write!(f, "{failures} of {calls} calls failed (threshold {})", Percent(threshold))
            }
            Self::FleetFailureRate { failures, calls, instances, threshold } => write!(
                f,
                "{failures} of {calls} calls failed in {instances} processes (threshold {})",
                Percent(threshold)
            ),
            Self::Quorum { votes, quorum } => {
                write!(f, "{votes} processes had opened it (quorum {quorum})")
            }
            Self::SlowCallRate { slow_calls, calls, in_flight, threshold } => {
                write!(f, "{slow_calls} of {calls} calls were slow")?;
                if in_flight > 0 {
                    write!(f, ", {in_flight} of them still in flight")?;
                }
                write!(f, " (threshold {})", Percent(threshold))
            }
            Self::ProbesFailed { failed, permitted, threshold } => write!(
                f,
                "{failed} of {permitted} probes failed ({} had to succeed)",
                Percent(threshold)
            ),
            Self::ProbesSlow { slow, permitted, threshold } => {
                write!(
                    f,
                    "{slow} of {permitted} probes were slow (threshold {})",
                    Percent(threshold)
                )
            }
            Self::HalfOpenExpired { finished, permitted, max_wait } => write!(
                f,
                "{finished} of {permitted} probes had finished after {}",
                humantime::format_duration(max_wait)
            ),
            Self::Adopted => f.write_str("another process opened the circuit"),
        }
    }
}

/// A share as people write it.
struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two decimals at most, and none that are zero.
        write!(f, "{}%", (self.0 * 10_000.0).round() / 100.0)
    }
}

/// Why a circuit changed its state.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// A bound was crossed; also where a recovery failed.
    Tripped(TripReason),
    /// The open time was over and a call asked.
    RecoveryTimeElapsed,
    /// Enough probes succeeded.
    ProbesSucceeded {
        /// The probes that succeeded.
        succeeded: u32,
        /// The probes of the round.
        permitted: u32,
    },
    /// A coordinator granted the probes of a round.
    Granted,
    /// A state that another process decided was taken over.
    Adopted,
    /// An override was set, by a person here or in another process.
    Overridden,
    /// An override was lifted, by a person here or in another process.
    OverrideLifted,
    /// A person reset the circuit.
    Reset,
}

impl Reason {
    /// A short name, for logs and stores: `probes_succeeded`, or that of the [`TripReason`].
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Tripped(trip) => trip.as_str(),
            Self::RecoveryTimeElapsed => "recovery_time_elapsed",
            Self::ProbesSucceeded { .. } => "probes_succeeded",
            Self::Granted => "granted",
            Self::Adopted => "adopted",
            Self::Overridden => "overridden",
            Self::OverrideLifted => "override_lifted",
            Self::Reset => "reset",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Tripped(trip) => trip.fmt(f),
            Self::RecoveryTimeElapsed => f.write_str("the recovery timeout is over"),
            Self::ProbesSucceeded { succeeded, permitted } => {
                write!(f, "{succeeded} of {permitted} probes succeeded")
            }
            Self::Granted => f.write_str("the coordinator granted probes"),
            Self::Adopted => f.write_str("taken over from another process"),
            Self::Overridden => f.write_str("override set"),
            Self::OverrideLifted => f.write_str("override lifted"),
            Self::Reset => f.write_str("reset"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trip_says_what_crossed_which_bound() {
        let said = |trip: TripReason| Reason::Tripped(trip).to_string();
        assert_eq!(
            said(TripReason::ConsecutiveFailures { failures: 5, threshold: 5 }),
            "5 failures in a row (threshold 5)"
        );
        assert_eq!(
            said(TripReason::FailureRate { failures: 3, calls: 7, threshold: 0.125 }),
            "3 of 7 calls failed (threshold 12.5%)"
        );
        let slow = |in_flight| TripReason::SlowCallRate {
            slow_calls: 3,
            calls: 4,
            in_flight,
            threshold: 0.5,
        };
        assert_eq!(said(slow(0)), "3 of 4 calls were slow (threshold 50%)");
        assert_eq!(
            said(slow(2)),
            "3 of 4 calls were slow, 2 of them still in flight (threshold 50%)"
        );
        assert_eq!(
            said(TripReason::ProbesFailed { failed: 2, permitted: 3, threshold: 0.5 }),
            "2 of 3 probes failed (50% had to succeed)"
        );
        assert_eq!(
            said(TripReason::ProbesSlow { slow: 1, permitted: 3, threshold: 0.3 }),
            "1 of 3 probes were slow (threshold 30%)"
        );
        let max_wait = Duration::from_secs(90);
        assert_eq!(
            said(TripReason::HalfOpenExpired { finished: 1, permitted: 3, max_wait }),
            "1 of 3 probes had finished after 1m 30s"
        );
    }

    #[test]
    fn every_reason_has_a_name_and_a_sentence() {
        let reasons = [
            (Reason::Tripped(TripReason::Adopted), "adopted"),
            (Reason::RecoveryTimeElapsed, "recovery_time_elapsed"),
            (Reason::ProbesSucceeded { succeeded: 2, permitted: 3 }, "probes_succeeded"),
            (Reason::Granted, "granted"),
            (Reason::Adopted, "adopted"),
            (Reason::Overridden, "overridden"),
            (Reason::OverrideLifted, "override_lifted"),
            (Reason::Reset, "reset"),
        ];
        for (reason, name) in reasons {
            assert_eq!(reason.as_str(), name);
            assert!(reason.to_string().len() >= 5, "{name}");
        }
    }
}
