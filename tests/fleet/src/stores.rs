//! The stores of a process.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tower_breaker::store::{
    FleetStore, HistoryStore, StateStore, TieredStore, redis::RedisStore, sql::SqlStore,
};

use crate::{Error, said::Stats};

/// What the keys in the cache begin with.
pub const PREFIX: &str = "fleet";

/// Where the stores of a fleet are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Where {
    /// The URL of the database.
    pub durable: String,
    /// The URL of the cache in front of it.
    pub cache: Option<String>,
}

/// The stores of a process, connected when they are first used.
#[derive(Clone, Debug)]
pub struct Stores {
    /// That of the circuits.
    pub state: Arc<dyn StateStore>,
    /// That of the history.
    pub history: Arc<dyn HistoryStore>,
    /// That of the processes.
    pub fleet: Arc<dyn FleetStore>,
    tiers: Option<Arc<TieredStore>>,
}

impl Stores {
    /// The stores that are there.
    ///
    /// # Errors
    ///
    /// If a URL is none.
    pub fn open(places: &Where) -> Result<Self, Error> {
        let durable = SqlStore::builder(&places.durable)
            .operation_timeout(Duration::from_millis(800))
            .connect_lazy()?;
        let durable = Arc::new(durable);
        let history: Arc<dyn HistoryStore> = durable.clone();
        let Some(cache) = &places.cache else {
            return Ok(Self { state: durable.clone(), history, fleet: durable, tiers: None });
        };
        let cache = RedisStore::builder(cache)
            .prefix(PREFIX)
            .operation_timeout(Duration::from_millis(300))
            .ping_interval(Duration::from_secs(1))
            .connect_lazy()?;
        let tiers = TieredStore::builder(Arc::new(cache), durable)
            .cache_deadline(Duration::from_millis(300))
            .durable_deadline(Duration::from_millis(800))
            .probe_after(Duration::from_millis(250))
            .build();
        let tiers = Arc::new(tiers);
        Ok(Self { state: tiers.clone(), history, fleet: tiers.clone(), tiers: Some(tiers) })
    }

    /// Adds what the stores did.
    #[must_use]
    pub fn add_to(&self, stats: Stats) -> Stats {
        let Some(tiers) = &self.tiers else { return stats };
        let health = tiers.health();
        Stats {
            fail_overs: health.fail_overs,
            reseeds: health.reseeds,
            brought_up: health.brought_up,
            gave_way: health.conflicts,
            ..stats
        }
    }
}
