//! How a tiered store is made.

use std::{sync::Arc, time::Duration};

use super::{
    rule::Tier,
    shared::Shared,
    store::TieredStore,
    tier::{Side, Store},
};
use crate::store::{FleetStore, StateStore};

/// The least and the most that a deadline and a pause may be.
const BOUNDS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(60));

/// Builds a [`TieredStore`]. What is out of bounds is set to the nearest bound.
#[derive(Debug)]
#[must_use]
pub struct TieredStoreBuilder {
    cache: Arc<dyn Store>,
    durable: Arc<dyn Store>,
    cache_deadline: Duration,
    durable_deadline: Duration,
    failures: u32,
    pause: Duration,
}

impl TieredStoreBuilder {
    pub(super) fn new<C, D>(cache: Arc<C>, durable: Arc<D>) -> Self
    where
        C: StateStore + FleetStore,
        D: StateStore + FleetStore,
    {
        Self {
            cache,
            durable,
            cache_deadline: Duration::from_millis(250),
            durable_deadline: Duration::from_secs(1),
            failures: 2,
            pause: Duration::from_millis(500),
        }
    }

    /// How long one operation of the cache may take, 1 ms to 1 min. Default 250 ms.
    pub fn cache_deadline(mut self, deadline: Duration) -> Self {
        self.cache_deadline = deadline;
        self
    }

    /// How long one operation of the durable store may take, 1 ms to 1 min. Default 1 s. A write has
    /// up to two operations of each tier, and the longest time that a registry waits for it should be
    /// above that.
    pub fn durable_deadline(mut self, deadline: Duration) -> Self {
        self.durable_deadline = deadline;
        self
    }

    /// After how many failures in a row a tier is not asked any more, at least 1. Default 2.
    pub fn failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }

    /// After how long a tier that is not asked is probed, 1 ms to 1 min, less a random part of up to a
    /// half. It doubles with each probe that fails, up to sixteen times. Default 500 ms.
    pub fn probe_after(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The store.
    #[must_use]
    pub fn build(self) -> TieredStore {
        let bounded = |duration: Duration| duration.clamp(BOUNDS.0, BOUNDS.1);
        let side =
            |store, tier, deadline| Side::new(store, tier, bounded(deadline), self.failures.max(1));
        let shared = Shared::new(
            side(self.cache, Tier::Cache, self.cache_deadline),
            side(self.durable, Tier::Durable, self.durable_deadline),
            bounded(self.pause),
        );
        TieredStore { shared: Arc::new(shared) }
    }
}
