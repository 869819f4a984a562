//! Which results are failures.
//!
//! A classifier looks at a result and says what it means to the circuit: an
//! [`Outcome`](crate::Outcome), or a `bool` that means *failed*. Any closure over
//! `Result<&Response, &Error>` is one:
//!
//! ```
//! use tower_breaker::{Breaker, CircuitBreakerLayer, Outcome};
//!
//! # let breaker = Breaker::builder("inventory").build()?;
//! // The argument is annotated, so that its lifetimes are not tied to one call.
//! let layer = CircuitBreakerLayer::new(breaker).classify(|result: Result<&u32, &std::io::Error>| {
//!     match result {
//!         Ok(0) => Outcome::IGNORED,
//!         Ok(_) => Outcome::SUCCESS,
//!         Err(_) => Outcome::FAILURE,
//!     }
//! });
//! # let _: CircuitBreakerLayer<_, _, _> = layer;
//! # Ok::<(), tower_breaker::error::InvalidName>(())
//! ```
//!
//! `|result| result.is_err()` needs no annotation. A closure that is put in a variable first, or
//! that looks into the result, does: write the types of the response and the error.
//!
//! Ready-made are [`ErrorsAsFailures`], which is the default, and those for HTTP statuses and
//! reqwest (feature `http`: the module `http` of the crate) and for gRPC codes (feature `grpc`).
//!
//! When a result is classified is up to a [`Settle`]: [`AtResponse`] when the inner future is done;
//! for streams, `http::AtEndOfStream` when the body has ended.
//!
//! # What a call failed with
//!
//! A classifier also [describes](Classify::describe) failures, for the events that tell of them, and
//! with a journal for the history: `http_status` and `503`, `grpc_status` and `UNAVAILABLE`, the type
//! of an error. Of an error of a plain type only its name is known, of a boxed one its text; a closure
//! can say more:
//!
//! ```
//! use tower_breaker::{Breaker, CircuitBreakerLayer, breaker::Cause};
//!
//! # let breaker = Breaker::builder("inventory").build()?;
//! let layer = CircuitBreakerLayer::new(breaker)
//!     .describe(|result: Result<&u32, &std::fmt::Error>| result.err().map(Cause::of));
//! # let _: CircuitBreakerLayer<_, _, _> = layer;
//! # Ok::<(), tower_breaker::error::InvalidName>(())
//! ```
//!
//! A failure is described only where somebody is told of it. What must not be kept of a text is taken
//! out by [`JournalOptions::redact`](crate::journal::JournalOptions::redact); observers and
//! subscribers get it as it is.
//!
//! # Rejections and panics
//!
//! Whatever the classifier says, an error that is the rejection of a breaker further in is ignored:
//! it says nothing about the service behind this one that this breaker has to protect it from. And
//! a classifier that panics does not take the result with it: the result reaches the caller, the
//! panic is reported once, and the outcome is ignored.

mod at_response;
mod described;
mod errors;
#[cfg(feature = "grpc")]
pub(crate) mod grpc;
#[cfg(feature = "http")]
pub(crate) mod http;
mod judge;
#[cfg(feature = "reqwest")]
mod reqwest;
mod settle;

pub(crate) use self::judge::judge;
#[cfg(feature = "http")]
pub(crate) use self::judge::{ask, cause_of};
pub use self::{
    at_response::AtResponse, described::Described, errors::ErrorsAsFailures, judge::Classify,
    settle::Settle,
};
