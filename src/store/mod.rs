//! Where state and history are kept, beyond the life of a process.
//!
//! Three traits, all of them object-safe: [`StateStore`] keeps the states of circuits and decides
//! between writers, [`HistoryStore`] keeps what happened, [`FleetStore`] is where processes meet. The
//! stores of this crate are all three, but for Redis, which keeps no history; one of your own may be
//! the first alone.
//!
//! No request waits for a store: a circuit acts on its own and proposes what it did.
//!
//! ## What a state store guarantees
//!
//! - A record has three [lanes](Lane), each with a [version](crate::circuit::Version) of its own. A
//!   write names the lane and the version it expects, and takes effect only if that is the version;
//!   of two writers that expect the same, one wins and the other is shown what is there.
//! - A version is never used twice, also not after the circuit was removed: a
//!   [tombstone](Tombstone) keeps the versions.
//! - Whoever loads after a write was acknowledged sees it.
//! - Fields it does not know are kept.
//!
//! ## A store of one's own
//!
//! Whatever can replace one value if it is still the one that was read can be a state store. In what
//! order a write goes:
//!
//! 1. [`CircuitRecord::check_write`] and [`EventRecord::check`]: what is out of bounds is refused,
//!    whatever is stored.
//! 2. In one transaction, or under one lock, everything that follows. Read what is stored, and
//!    compare [`Expected::found`] with what the writer expects; if they differ, answer
//!    [`StoreError::conflict`] with what was read.
//! 3. [`CircuitRecord::take_lane`] moves the one lane, and what is unknown, into the stored record; an
//!    empty record with the versions of the tombstone, where there is one.
//! 4. For the state lane, set [`changed_at`](StateLane::changed_at): the store's clock less the
//!    [`age`](CircuitRecord::age) that was proposed. Ages in what is loaded are the way back. The
//!    clock is the store's own, since those of the proposers differ.
//! 5. Write the record, its place in the order of changes for [`load_all`](StateStore::load_all), and
//!    the event, all or nothing. Nobody may see a cursor before the changes that it covers.
//! 6. Only then hint to the watchers, and answer. A writer that goes away must not undo half of it.
//!
//! A store behind a network answers [`StoreError::Unavailable`] by a deadline of its own: what waits
//! for a store waits in the background, but for ever is too long there too.
//!
//! The feature `test-util` has the suite that a store has to pass, `store::conformance`, and
//! `store::faulty`, which shows what happens around a store that fails. The example
//! [`custom_store`](https://github.com/tower-breaker/tower-breaker/tree/main/examples/custom_store)
//! keeps circuits in a JSON file, in two files of code, and runs the suite on itself:
//!
//! ```
//! # #[cfg(feature = "test-util")] {
//! # #[tokio::main]
//! # async fn main() {
//! use tower_breaker::store::{MemoryStore, conformance};
//!
//! conformance::state_store(|| async { MemoryStore::new() }).await.assert();
//! # }
//! # main();
//! # }
//! ```

mod check;
#[cfg(feature = "test-util")]
pub mod conformance;
mod error;
mod event;
#[cfg(feature = "test-util")]
pub mod faulty;
mod findings;
mod fleet_store;
mod history_store;
mod ids;
mod instance;
mod memory;
mod metrics;
mod query;
mod record;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub mod redis;
mod sketch;
#[cfg(feature = "_sql")]
#[cfg_attr(docsrs, doc(cfg(any(feature = "sqlite", feature = "postgres"))))]
pub mod sql;
mod state_store;
mod stored;
pub mod tiered;

pub use self::{
    check::bounded_text,
    error::StoreError,
    event::{EventId, EventKind, EventRecord, TraceId},
    findings::{AlertRecord, PatternRecord, Severity, Silence},
    fleet_store::FleetStore,
    history_store::HistoryStore,
    ids::{ChangeId, RunId, Timestamp},
    instance::{InstanceRow, NamedLease, Vote, WindowSummary},
    memory::{MemoryStats, MemoryStore, MemoryStoreBuilder},
    metrics::{CallCounts, MetricBucket, Resolution},
    query::{
        AlertQuery, EventQuery, MAX_PAGE, MetricQuery, Page, PageToken, PatternQuery, Prune,
        TimeRange,
    },
    record::{CircuitRecord, Extra, Lane, Lease, OverrideLane, SettingsLane, StateLane, Versions},
    sketch::LatencySketch,
    state_store::{Loaded, StateStore},
    stored::{ChangeHint, Committed, Cursor, Expected, Stored, Tombstone},
    tiered::{TierHealth, TieredHealth, TieredStore, TieredStoreBuilder},
};

/// The most bytes that a text for people may have: reasons, messages, names of people.
pub const MAX_TEXT: usize = 1024;
