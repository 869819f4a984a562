//! The error of a call that was not made.

use std::{error::Error, fmt, time::Duration};

use super::ServiceName;
use crate::circuit::{RejectReason, State};

/// The error of a call that the breaker did not let through. The inner service was not called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// What the breaker protects.
    pub service: ServiceName,
    /// The state that rejected the call.
    pub state: State,
    /// When to ask again, from now on. None where no clock can tell: a half-open round that is
    /// full, a circuit that was forced open.
    pub retry_after: Option<Duration>,
    /// What rejected the call.
    pub reason: RejectReason,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call to `{}` rejected: {}", self.service, self.reason)
    }
}

impl Error for Rejected {}
