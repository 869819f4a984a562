//! The answers of a circuit to a call that asks, and to one that ends.

use std::{fmt, time::Duration};

use super::{moment::Moment, state::State};

/// Whether a call may go ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a call that was admitted has to be recorded or cancelled"]
pub enum Admission {
    /// It may.
    Admitted {
        /// The generation that its result has to be recorded under.
        generation: u64,
    },
    /// It may not.
    Refused(Refusal),
}

/// Why a call may not go ahead, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The state that refused.
    pub state: State,
    /// The time left until a call may be admitted; none where no clock can tell.
    pub retry_after: Option<Duration>,
    /// What refused.
    pub reason: RejectReason,
    /// What the circuit asks its driver to do.
    pub command: Option<Command>,
}

impl Refusal {
    pub(crate) fn new(state: State, retry_after: Option<Duration>, reason: RejectReason) -> Self {
        Self { state, retry_after, reason, command: None }
    }

    /// The circuit would admit, the inner service has not been asked whether it is ready.
    pub(crate) fn not_ready(state: State) -> Self {
        Self::new(state, Some(Duration::ZERO), RejectReason::NotReady)
    }
}

/// What rejected a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// The circuit is open and its time is not over.
    Open,
    /// All probes of the half-open round are under way or finished.
    NoProbeLeft,
    /// The open time is over, but probing waits for the coordinator or is another process's.
    AwaitingGrant,
    /// An override rejects all calls.
    ForcedOpen,
    /// The circuit would admit the call, but the inner service was not polled ready: it was open
    /// when it was asked. Ask again at once.
    NotReady,
}

impl RejectReason {
    /// A short name, for logs and stores: `no_probe_left`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::NoProbeLeft => "no_probe_left",
            Self::AwaitingGrant => "awaiting_grant",
            Self::ForcedOpen => "forced_open",
            Self::NotReady => "not_ready",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "the circuit is open",
            Self::NoProbeLeft => "the circuit is half-open and has no probe left",
            Self::AwaitingGrant => "the circuit waits for leave to probe",
            Self::ForcedOpen => "the circuit was forced open",
            Self::NotReady => "the service was not ready when the circuit admitted again",
        })
    }
}

/// What a circuit asks its driver to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// The open time is over and a call asked: get leave to probe, and answer with
    /// [`Circuit::grant`](super::Circuit::grant) or
    /// [`Circuit::decline_grant`](super::Circuit::decline_grant). Asked once until it is answered.
    RequestGrant,
}

/// Leave to probe, from a coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The lease that the probes belong to.
    pub token: u64,
    /// How many probes, at least one.
    pub budget: u32,
    /// No probe is admitted from here on.
    pub deadline: Moment,
}

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Booking {
    /// It was counted in the window or the run of failures.
    Counted {
        /// Whether it took at least the slow-call duration, where that is looked at.
        slow: bool,
    },
    /// It was counted as a probe.
    Probe {
        /// As in [`Counted`](Self::Counted).
        slow: bool,
    },
    /// Its outcome decides nothing.
    Ignored,
    /// It belongs to an earlier generation and decided nothing.
    Late,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_a_rejection_has_a_name_and_a_sentence() {
        for (reason, name, sentence) in [
            (RejectReason::Open, "open", "the circuit is open"),
            (
                RejectReason::NoProbeLeft,
                "no_probe_left",
                "the circuit is half-open and has no probe left",
            ),
            (RejectReason::AwaitingGrant, "awaiting_grant", "the circuit waits for leave to probe"),
            (RejectReason::ForcedOpen, "forced_open", "the circuit was forced open"),
            (
                RejectReason::NotReady,
                "not_ready",
                "the service was not ready when the circuit admitted again",
            ),
        ] {
            assert_eq!(reason.as_str(), name);
            assert_eq!(reason.to_string(), sentence);
        }
    }

    #[test]
    fn a_service_that_is_not_ready_may_be_asked_again_at_once() {
        let refusal = Refusal::not_ready(State::HalfOpen);
        assert_eq!(refusal.state, State::HalfOpen);
        assert_eq!(refusal.retry_after, Some(Duration::ZERO));
        assert_eq!(refusal.reason, RejectReason::NotReady);
    }
}
