//! What a circuit can be in, and what decides its recovery.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a circuit as its callers meet it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Calls pass, and their results are judged.
    Closed,
    /// Calls are rejected until the open time is over.
    Open,
    /// A limited number of probes pass, and decide between closed and open.
    HalfOpen,
    /// An override: every call is rejected until [`lift_override`](crate::Breaker::lift_override).
    ForcedOpen,
    /// An override: every call passes and nothing is recorded.
    Disabled,
    /// An override: every call passes, results are counted, and nothing is ever rejected.
    MetricsOnly,
}

impl State {
    /// The state as it is written in stores, logs and serialised settings: `half_open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }

    /// Whether the state was set by a person and stays until it is lifted.
    #[must_use]
    pub const fn is_override(self) -> bool {
        matches!(self, Self::ForcedOpen | Self::Disabled | Self::MetricsOnly)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A state that a person sets and that no result changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Override {
    /// Reject every call.
    ForcedOpen,
    /// Admit every call and record nothing.
    Disabled,
    /// Admit every call and compute the rates, but never reject: a shadow mode.
    MetricsOnly,
}

impl From<Override> for State {
    fn from(value: Override) -> Self {
        match value {
            Override::ForcedOpen => Self::ForcedOpen,
            Override::Disabled => Self::Disabled,
            Override::MetricsOnly => Self::MetricsOnly,
        }
    }
}

/// Who may let the first probe through when the open time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Gate {
    /// The circuit itself: the call that asks is the first probe.
    #[default]
    Local,
    /// A coordinator: the circuit goes on rejecting, asks with
    /// [`Command::RequestGrant`](super::Command::RequestGrant), and probes once it was granted.
    Granted,
    /// The circuit itself, one call a round: for services that are called so seldom that nobody who
    /// was granted probes sees a call in time.
    Single,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_written_the_same_everywhere() {
        for (state, name, is_override) in [
            (State::Closed, "closed", false),
            (State::Open, "open", false),
            (State::HalfOpen, "half_open", false),
            (State::ForcedOpen, "forced_open", true),
            (State::Disabled, "disabled", true),
            (State::MetricsOnly, "metrics_only", true),
        ] {
            assert_eq!(state.as_str(), name);
            assert_eq!(state.to_string(), name);
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("{name:?}"));
            assert_eq!(state.is_override(), is_override);
        }
        assert_eq!(State::from(Override::ForcedOpen), State::ForcedOpen);
        assert_eq!(State::from(Override::Disabled), State::Disabled);
        assert_eq!(State::from(Override::MetricsOnly), State::MetricsOnly);
    }
}
