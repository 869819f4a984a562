//! tower-breaker
pub mod breaker;
pub mod circuit;
pub mod classify;
pub mod error;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "http")]
pub mod http;
pub mod retry;
pub mod service;
mod sync;
pub use breaker::{Breaker, BreakerMap, CallError, Permit, Rejected};
pub use circuit::{Outcome, Settings, SlidingWindow, State};
pub use classify::Classify;
pub use service::{CircuitBreaker, CircuitBreakerLayer};
