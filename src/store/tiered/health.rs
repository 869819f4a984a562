//! What can be seen of a tiered store.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::rule::{Tier, Why};

/// How the tiers of a [`TieredStore`](super::TieredStore) are, and what it did about them since it was
/// made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TieredHealth {
    /// The cache.
    pub cache: TierHealth,
    /// The durable store.
    pub durable: TierHealth,
    /// How often a tier was given up.
    pub fail_overs: u64,
    /// How often a tier came back.
    pub recoveries: u64,
    /// Lanes that were written to a tier which had nothing of the circuit.
    pub reseeds: u64,
    /// Lanes, and removals, that were written to a tier which was behind the other one.
    pub brought_up: u64,
    /// Lanes of which the tiers had different writes, one of which had to give way.
    pub conflicts: u64,
    /// Events of changes that were made without the durable store and could not be kept for it, since
    /// there were too many or another process brought it up.
    pub dropped_events: u64,
}

/// How one tier is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TierHealth {
    /// For how long it has not been asked since it did not answer; none while it is asked.
    pub down_for: Option<Duration>,
    /// For how long it has been as it is: up or down.
    pub lasting: Duration,
    /// How often it failed or did not answer in time.
    pub failures: u64,
    /// The last error, with its sources.
    pub last_error: Option<String>,
    /// Circuits of which this process knows that the tier has not got the last write.
    pub owed: usize,
}

impl TierHealth {
    /// Whether it is asked.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.down_for.is_none()
    }
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) fail_overs: AtomicU64,
    pub(super) recoveries: AtomicU64,
    pub(super) reseeds: AtomicU64,
    pub(super) brought_up: AtomicU64,
    pub(super) conflicts: AtomicU64,
    pub(super) dropped_events: AtomicU64,
}

impl Counters {
    /// Counts a step that brought a tier up.
    pub(super) fn repaired(&self, why: Why) {
        add(match why {
            Why::Missing => &self.reseeds,
            Why::Behind => &self.brought_up,
            Why::Lost => &self.conflicts,
        });
    }
}

pub(super) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// How it is written in logs.
pub(super) const fn name(tier: Tier) -> &'static str {
    match tier {
        Tier::Cache => "the cache",
        Tier::Durable => "the durable store",
    }
}
