//! The handle of a tiered store.

use std::sync::Arc;

use super::{
    builder::TieredStoreBuilder,
    health::{TieredHealth, read},
    rule::Tier,
    shared::Shared,
};
use crate::{
    name::ServiceName,
    store::{FleetStore, StateStore},
};

/// A cache in front of a durable store, as one store of states and of a fleet. Clones share it.
///
/// See the [module docs](super) for what it does and why. Its tasks are tokio's: a probe while a tier
/// is down, and what brings a tier up. They end when the last clone is dropped.
///
/// A named lease is renewed and released through the handle that took it, or a clone of it, since the
/// tiers have drawn a token each; through another one it counts as lost.
#[derive(Clone, Debug)]
pub struct TieredStore {
    pub(super) shared: Arc<Shared>,
}

impl TieredStore {
    /// A cache in front of a durable store, with the deadlines of [`TieredStoreBuilder`].
    #[must_use]
    pub fn new<C, D>(cache: Arc<C>, durable: Arc<D>) -> Self
    where
        C: StateStore + FleetStore,
        D: StateStore + FleetStore,
    {
        Self::builder(cache, durable).build()
    }

    /// One with other deadlines.
    pub fn builder<C, D>(cache: Arc<C>, durable: Arc<D>) -> TieredStoreBuilder
    where
        C: StateStore + FleetStore,
        D: StateStore + FleetStore,
    {
        TieredStoreBuilder::new(cache, durable)
    }

    /// How the tiers are, and what was done about them.
    #[must_use]
    pub fn health(&self) -> TieredHealth {
        let Shared { counters, owed, .. } = &*self.shared;
        let of = |tier: Tier| self.shared.side(tier).health(owed.count(tier));
        TieredHealth {
            cache: of(Tier::Cache),
            durable: of(Tier::Durable),
            fail_overs: read(&counters.fail_overs),
            recoveries: read(&counters.recoveries),
            reseeds: read(&counters.reseeds),
            brought_up: read(&counters.brought_up),
            conflicts: read(&counters.conflicts),
            dropped_events: read(&counters.dropped_events),
        }
    }

    /// Which tier had what the last full [`load_all`](StateStore::load_all) returned of the state of a
    /// circuit; none for one that was not in it.
    #[must_use]
    pub fn source(&self, service: &ServiceName) -> Option<Tier> {
        self.shared.sources().get(service).copied()
    }
}
