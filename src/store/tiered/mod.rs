//! Two stores as one: a fast cache in front of a durable store.
//!
//! [`TieredStore`] is a [`StateStore`](super::StateStore) and a [`FleetStore`](super::FleetStore) over
//! any two that are both. The history is not tiered: it goes to the durable store, see
//! [below](#history).
//!
//! ```
//! use std::sync::Arc;
//! use tower_breaker::{
//!     Registry,
//!     store::{MemoryStore, TieredStore},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // One that is fast and may be lost, and one that is not lost.
//! let (cache, durable) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
//! let tiered = TieredStore::new(cache, durable.clone());
//! let registry = Registry::builder().tiered(&tiered).history(durable).start().await?;
//!
//! let health = tiered.health();
//! assert!(health.cache.is_up() && health.durable.is_up());
//! registry.shutdown(std::time::Duration::from_secs(1)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Both are written, the cache is read
//!
//! It is usual to write the cache, answer, and have the database follow in the background, and to
//! believe whatever the cache says. That loses what was decided when the cache is lost, has two
//! processes decide at once when one of them reaches only one of the two, and brings an old decision
//! back over a newer one when a queue drains late. Transitions are rare and no call waits for them, so
//! here a write is a compare-and-swap on both before it is acknowledged:
//!
//! - The cache is written first, then the durable store. **A conflict on either loses**, and the
//!   other one is brought up to the winner. So a lease on a half-open round is held only if every tier
//!   that can be reached has it.
//! - Reads and hints come from the cache, that is, as fast as it is. What it has not is read from the
//!   durable store.
//! - A write that finds no durable store is made on the cache alone and opens a new epoch: its version
//!   is above whatever the durable store takes meanwhile, and is not the one that was proposed
//!   ([`Committed::version`](super::Committed::version)). When the durable store is back, it is brought
//!   up by compare-and-swap before anything else is written to that circuit, by whoever sees the
//!   difference first: the process that owes it need not live.
//! - A write that finds no cache is made on the durable store alone, and marked there. What the cache
//!   took meanwhile does not erase it where it is an override or live settings; of two states that were
//!   decided apart the one with the higher version is in force.
//! - A cache that came back empty is filled from the durable store, with the versions unchanged. What
//!   it had and the durable store had not yet is put back by the process that wrote it.
//! - A tombstone wins over older records, and is forgotten only while both tiers answer and agree.
//!
//! The pure [`rule`] is what decides all this, and a model checker has driven it through all
//! interleavings of a few processes (`tests/interleavings`).
//!
//! # When a tier is down
//!
//! Each tier has a deadline. After a few failures in a row it is not asked any more, so a dead one
//! costs nothing; a probe in the background finds it back. Fail-over and recovery are told by
//! `tracing` once each, are counted in [`TieredHealth`], and watchers are told to look at everything.
//! With both down a write fails, and circuits work on their own.
//!
//! # History
//!
//! The event of a change is written by the durable store, in one with the change. While that is down
//! the event waits in the record of the cache and in the memory of the process, the last 32 of each
//! lane, and is written with the change when it is brought up.

mod builder;
mod drive;
mod fleet;
mod health;
mod kept;
mod reads;
mod recover;
#[doc(hidden)]
pub mod rule;
mod shared;
mod state;
mod store;
mod tier;
mod view;
mod watch;

pub use self::{
    builder::TieredStoreBuilder,
    health::{TierHealth, TieredHealth},
    rule::Tier,
    store::TieredStore,
};
