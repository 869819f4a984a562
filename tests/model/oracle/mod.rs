//! A naive circuit breaker, written from the documentation and not from the code.
//!
//! It keeps every booked result of the current generation in a plain list and counts that list
//! again for each judgement. Nothing is cached, nothing is incremental: what it loses in speed it
//! gains in being easy to hold against the text. Times and durations are nanoseconds; the open
//! time has no jitter.
//!
//! # What a model test may compare
//!
//! - Generations: only whether they changed. Here they start at 1 and grow by one at each state
//!   change, reset and override set.
//! - Counts: only where [`Oracle::window_is_exact`] and [`Oracle::counts_are_decided`] hold. While
//!   the window is not exact, verdicts that rest on a rate may differ as well.
//! - The failures in a row: in closed and metrics-only. Elsewhere the documentation is silent.
//! - The order of calls is the caller's: a result must come from an admission that
//!   [`Oracle::admit`] answered with `Ok`.

#![allow(dead_code, reason = "a test may not need every question")]
#![allow(unreachable_pub, reason = "a module of a test, written like a library")]

mod calls;
mod circuit;
mod peers;
mod people;
mod questions;
mod recovery;
mod settings;
mod state;
mod window;

pub use self::{
    circuit::Oracle,
    settings::{OracleSettings, OracleWindow},
    state::{OracleOutcome, OracleState},
};
