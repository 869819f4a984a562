//! All circuits of a process, with what they remember: the root that puts the other parts together.
//!
//! A [`Registry`] loads what its store has, makes circuits that begin where they were, commits what
//! they do, and lets them follow what other processes did. No call waits for any of it, not at
//! start-up either: where the store does not answer, circuits work on their own, and the registry
//! reconciles them when it comes back.
//!
//! ```
//! use std::time::Duration;
//! use tower_breaker::{Registry, Settings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::builder().failure_threshold(2).build()?;
//! // A store in memory, unless it is given another one.
//! let registry = Registry::builder().defaults(settings).start().await?;
//!
//! let payments = registry.breaker("payments")?;
//! let answer = payments.call(async || Ok::<_, std::io::Error>(42)).await?;
//! assert_eq!(answer, 42);
//!
//! registry.shutdown(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```

mod attached;
mod builder;
mod check;
mod circuits;
mod error;
mod fleet_options;
mod live;
mod operate;
mod recovered;
mod start;

pub use self::{
    builder::RegistryBuilder,
    error::RegistryError,
    live::{Registry, RegistryStats, ShutdownReport},
    operate::By,
    recovered::Recovered,
};
pub use crate::fleet::{CoordinatorStats, Scope, StoreHealth};
