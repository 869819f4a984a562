//! State and history in SQLite or Postgres.
//!
//! [`SqlStore`] is all three stores, over a connection of [sea-orm](https://docs.rs/sea-orm). The
//! tables are those of the crate [`tower_breaker_migration`]; nothing else of the database is
//! touched.
//!
//! ```no_run
//! # async fn example() -> Result<(), tower_breaker::store::StoreError> {
//! use tower_breaker::store::sql::SqlStore;
//!
//! let store = SqlStore::connect("sqlite://breakers.db").await?;
//! store.migrate().await?;
//! # Ok(())
//! # }
//! ```
//!
//! More of it can be set:
//!
//! ```no_run
//! # async fn example() -> Result<(), tower_breaker::store::StoreError> {
//! use std::time::Duration;
//!
//! use tower_breaker::store::sql::{Durability, SqlStore};
//!
//! let store = SqlStore::builder("postgres://breakers:secret@db.example/app?sslmode=verify-full")
//!     .durability(Durability::PowerLoss)
//!     .operation_timeout(Duration::from_secs(2))
//!     .migrate(true)
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! ## SQLite
//!
//! The journal is a write-ahead log. One connection writes, since SQLite lets one write at a time;
//! transitions go before batches of history, and wait for one batch at most, so batches should be
//! short: 100 to 250 events each. The log is copied into the file beside the writes, by a connection of
//! its own; where writes come one upon the other without a pause it grows to 64 MiB. Any number of processes of one machine may share a file; a lock
//! that another one holds is waited for. A file on a network drive must not be shared.
//!
//! ## Postgres
//!
//! Each operation is one statement. Behind a proxy that pools transactions, set
//! `statement-cache-capacity=0` in the URL; changes are then found at the
//! [interval](SqlStoreBuilder::poll_interval) instead of being told.
//! A transaction that the application keeps open for long makes
//! [`load_all`](super::StateStore::load_all) return more than what changed.

#[cfg(feature = "sqlite")]
mod append;
#[cfg(feature = "postgres")]
mod append_postgres;
#[cfg(feature = "sqlite")]
mod checkpoint;
mod db;
mod events;
mod failure;
#[cfg(feature = "sqlite")]
mod file_hints;
mod findings;
mod fleet_store;
#[cfg(feature = "sqlite")]
mod gate;
#[cfg(feature = "sqlite")]
mod glance;
mod history_store;
mod instances;
#[cfg(feature = "sqlite")]
mod kept;
#[cfg(feature = "sqlite")]
mod mend;
mod metrics;
mod options;
#[cfg(feature = "postgres")]
mod postgres;
mod prune;
mod row;
#[cfg(feature = "sqlite")]
mod same_file;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
mod sqlite_writes;
mod state_store;
mod statement;
mod states;
mod store;
#[cfg(feature = "postgres")]
mod swap_postgres;
#[cfg(feature = "sqlite")]
mod swap_sqlite;
#[cfg(feature = "sqlite")]
mod together;
mod urgency;
mod watch;
#[cfg(feature = "sqlite")]
mod writer;

pub use self::{
    options::{Durability, SqlStoreBuilder},
    store::SqlStore,
};
