//! Steps of the oracle that say what is done to a circuit beside it, and how the two are compared.

use std::fmt::Debug;

use tower_breaker::circuit::{Adoption, Override, Version};

use crate::{
    convert::state_of,
    oracle::{Oracle, OracleOutcome, OracleState},
    steps::duration,
};

pub(crate) fn agree<T: PartialEq + Debug>(what: &str, left: T, right: T) -> Result<(), String> {
    if left == right { Ok(()) } else { Err(format!("{what}: {left:?} is not {right:?}")) }
}

/// Successes that ask and end at `now`, one by one. Returns how many of them were admitted.
pub(crate) fn succeed(oracle: &mut Oracle, successes: u64, now: u64) -> u64 {
    let mut admitted = 0;
    for _ in 0..successes {
        if let Ok(generation) = oracle.admit(now) {
            oracle.record(generation, OracleOutcome::Success, None, 0, now);
            admitted += 1;
        }
    }
    admitted
}

pub(crate) fn set_override(oracle: &mut Oracle, state: OracleState, now: u64) -> Override {
    match state {
        OracleState::ForcedOpen => {
            oracle.force_open(now);
            Override::ForcedOpen
        }
        OracleState::Disabled => {
            oracle.disable(now);
            Override::Disabled
        }
        _ => {
            oracle.metrics_only(now);
            Override::MetricsOnly
        }
    }
}

/// A state that another process decided.
pub(crate) struct Shared {
    pub(crate) state: OracleState,
    pub(crate) elapsed: u64,
    pub(crate) open_for: u64,
    pub(crate) reopens: u32,
    pub(crate) version: u64,
}

pub(crate) fn adopt(oracle: &mut Oracle, shared: Shared, now: u64) -> Adoption {
    let Shared { state, elapsed, open_for, reopens, version } = shared;
    oracle.adopt(state, elapsed, open_for, reopens, (0, version), now);
    Adoption {
        state: state_of(state),
        elapsed: duration(elapsed),
        open_for: duration(open_for),
        reopens,
        version: Version::new(0, version),
    }
}
