//! One live breaker in memory: a handle that many tasks share, and the permits it gives out.
//!
//! [`Breaker`] is the handle. It is cheap to clone, and all clones are one circuit. It works without
//! a tower stack:
//!
//! ```
//! use tower_breaker::{Breaker, CallError, Settings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::builder().failure_threshold(2).build()?;
//! let breaker = Breaker::builder("inventory").settings(settings).build()?;
//!
//! for _ in 0..2 {
//!     let result = breaker.call(async || Err::<u32, _>("no answer")).await;
//!     assert!(matches!(result, Err(CallError::Inner("no answer"))));
//! }
//! let result = breaker.call(async || Ok::<_, &str>(1)).await;
//! assert!(matches!(result, Err(CallError::Rejected(_))));
//! # Ok(())
//! # }
//! ```
//!
//! or with a permit, where a closure does not fit. A permit that is dropped without a result is a
//! call that was given up: its place is free again, and if it had lived for the slow-call duration
//! it counts as a failure.
//!
//! ```
//! # use tower_breaker::{Breaker, Outcome};
//! # let breaker = Breaker::builder("inventory").build()?;
//! match breaker.try_acquire() {
//!     Ok(permit) => permit.record(Outcome::SUCCESS),
//!     Err(rejected) => println!("{rejected}, ask again in {:?}", rejected.retry_after),
//! }
//! # Ok::<(), tower_breaker::breaker::InvalidName>(())
//! ```
//!
//! [`BreakerMap`] keeps a breaker for each key: host, route, tenant.

pub mod clock;

#[cfg(feature = "http")]
mod answered;
mod builder;
mod call;
mod cause;
mod changes;
mod core;
mod event;
mod guard;
mod handle;
mod hub;
mod latencies;
mod latency_recorder;
mod live_breaker;
mod map;
mod near;
mod permit;
mod rejected;
mod results;
mod snapshot;
mod waiters;
mod weak;

#[cfg(feature = "http")]
pub(crate) use self::answered::AnsweredCall;
pub use self::{
    builder::BreakerBuilder,
    call::CallError,
    cause::Cause,
    changes::{Change, Changes},
    clock::Clock,
    event::{CallRecord, Event, EventKind, Events, EventsError, Observer, UserCode},
    latencies::Latencies,
    live_breaker::Breaker,
    map::{BreakerMap, BreakerMapBuilder, Breakers, InvalidMap},
    permit::Permit,
    rejected::Rejected,
    snapshot::Snapshot,
};
pub(crate) use self::{
    clock::ClockSource,
    guard::PollGuard,
    handle::Handle,
    hub::{Describe, report_panic},
    waiters::Waiting,
    weak::WeakBreaker,
};
pub use crate::name::{InvalidName, ServiceName};
