//! States, and how calls end.

/// The state of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OracleState {
    /// Admits and judges.
    Closed,
    /// Refuses until its time is over.
    Open,
    /// Admits the probes of one round.
    HalfOpen,
    /// Refuses until lifted.
    ForcedOpen,
    /// Admits and records nothing.
    Disabled,
    /// Admits and computes, never refuses.
    MetricsOnly,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OracleOutcome {
    /// It went well.
    Success,
    /// It failed.
    Failure,
    /// It failed for the rates and as a probe, not for the failures in a row.
    RateOnly,
    /// It says nothing about the service.
    Ignored,
}
