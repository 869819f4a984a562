//! A store that fails on purpose, to test what is built on stores.
//!
//! [`FaultyStore`] wraps any store, and [`Faults`] is the handle that says, at any time, what goes
//! wrong: delays, errors, calls that are never answered, and writes that are done and reported as
//! failed. Delays are tokio's, so paused time skips them.
//!
//! ```
//! use tower_breaker::{
//!     ServiceName,
//!     store::{
//!         MemoryStore, StateStore,
//!         faulty::{Fault, Faults, FaultyStore, Operation},
//!     },
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let faults = Faults::new();
//! let store = FaultyStore::new(MemoryStore::new(), &faults);
//! let service = ServiceName::new("payments")?;
//!
//! faults.set(Operation::Load, Fault::error().times(1));
//! assert!(store.load(&service).await.is_err_and(|error| error.is_unavailable()));
//! assert!(store.load(&service).await?.is_none());
//! assert_eq!(faults.calls(Operation::Load), 2);
//! # Ok(())
//! # }
//! ```

mod fault;
mod faults;
mod fleet;
mod history;
mod operation;
mod state;
mod store;

pub use self::{fault::Fault, faults::Faults, operation::Operation, store::FaultyStore};
