//! A store in memory, for tests and for processes that want a history but no database.

mod builder;
mod findings;
mod fleet;
mod history;
mod state;
mod stats;
mod store;
mod timeline;

pub use self::{builder::MemoryStoreBuilder, stats::MemoryStats, store::MemoryStore};
