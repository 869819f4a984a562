//! A breaker at a glance.

use std::time::Duration;

use super::ServiceName;
use crate::circuit::{Counts, State, TripReason, Version};

/// A breaker at one instant. All figures are of the same instant but for `admitted` and `rejected`,
/// which other threads may raise meanwhile.
///
/// A call that was admitted and has ended is in one of `succeeded`, `failed`, `ignored` and `late`,
/// except that
/// - a failed one is in `failed` also where it is in `late`, or in `ignored` since the circuit was
///   disabled;
/// - one that was given up early, and was no probe, is in none of them;
/// - a success while the circuit is disabled is in none of them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// What the breaker protects.
    pub service: ServiceName,
    /// The state in force. An open circuit whose time is over is open until a call asks.
    pub state: State,
    /// Rises by one with each state change, reset and override.
    pub generation: u64,
    /// The version of the state.
    pub version: Version,
    /// What the window holds: while closed the window, while open what tripped the circuit, in
    /// half-open the finished probes. All zero in closed where no rate is set.
    pub counts: Counts,
    /// The share of failed calls in `counts`.
    pub failure_rate: Option<f64>,
    /// The share of slow calls in `counts`.
    pub slow_call_rate: Option<f64>,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// Calls in flight that count as slow already.
    pub slow_calls_in_flight: u32,
    /// What opened the circuit, until it closes.
    pub trip_reason: Option<TripReason>,
    /// What is left of the open time, zero once it is over; none in other states.
    pub remaining: Option<Duration>,
    /// Recoveries that failed in a row.
    pub reopens: u32,
    /// Calls admitted since the breaker was made.
    pub admitted: u64,
    /// Calls rejected since the breaker was made.
    pub rejected: u64,
    /// Results that were booked as successes since the breaker was made, slow ones and those of
    /// probes too. Not late ones, and none while the circuit is disabled.
    pub succeeded: u64,
    /// Results classified as failed since the breaker was made, late ones too.
    pub failed: u64,
    /// Results that were slow since the breaker was made.
    pub slow: u64,
    /// Results that decided nothing: ignored ones, probes given up early, and while the circuit is
    /// disabled all but successes.
    pub ignored: u64,
    /// Results that came after their generation had ended, and decided nothing.
    pub late: u64,
}
