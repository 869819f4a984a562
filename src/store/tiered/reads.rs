//! Reading all circuits of both tiers.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use ahash::RandomState;
use futures_util::{StreamExt, future::join, stream};

use super::{
    rule::{Tier, Variant, repair},
    shared::{Shared, lock},
    view::{held, merged, shown},
};
use crate::{
    name::ServiceName,
    store::{Cursor, Loaded, StoreError, Stored},
};

/// How many places in the tiers' changes are remembered: a reader that is further behind reads all.
const CURSORS: usize = 256;
/// How many circuits that only one tier names are asked for one by one.
const ONE_BY_ONE: usize = 64;
/// How many of them at the same time.
const AT_ONCE: usize = 8;

/// Where readers stand in both tiers.
#[derive(Debug)]
pub(super) struct Cursors {
    /// Cursors of another handle are not known here.
    next: u64,
    given: VecDeque<(Cursor, Place)>,
}

/// A place in each tier; none in one that did not answer.
type Place = [Option<Cursor>; 2];

type Found = HashMap<ServiceName, Stored, RandomState>;

impl Default for Cursors {
    fn default() -> Self {
        Self { next: u64::from(fastrand::u32(1..)) << 31, given: VecDeque::new() }
    }
}

impl Cursors {
    fn place(&self, cursor: Option<Cursor>) -> Place {
        let known = self.given.iter().find(|(given, _)| Some(*given) == cursor);
        known.map(|(_, place)| *place).unwrap_or_default()
    }

    fn give(&mut self, place: Place) -> Cursor {
        self.next += 1;
        let cursor = Cursor(self.next);
        self.given.push_back((cursor, place));
        if self.given.len() > CURSORS {
            self.given.pop_front();
        }
        cursor
    }
}

impl Shared {
    /// What both tiers have, or at least what changed since, and the circuits on which they differ.
    pub(super) async fn read_all(
        self: &Arc<Self>,
        since: Option<Cursor>,
    ) -> Result<(Loaded, Vec<ServiceName>), StoreError> {
        let mut place = lock(&self.cursors).place(since);
        let both = !self.any_down();
        if both && place.iter().any(Option::is_none) {
            // One that was away is read whole, and then so is the other one, to compare them.
            place = Place::default();
        }
        let [of_cache, of_durable] = place;
        let (cache, durable) =
            join(self.read(Tier::Cache, of_cache), self.read(Tier::Durable, of_durable)).await;
        let is_full = match (&cache, &durable) {
            (Ok(_), _) => of_cache.is_none(),
            (Err(_), _) => of_durable.is_none(),
        };
        let mut place = Place::default();
        let mut corrupt = Vec::new();
        let mut found: [Option<Found>; 2] = [None, None];
        let mut error = None;
        for (tier, loaded) in Tier::ALL.into_iter().zip([cache, durable]) {
            match loaded {
                Ok(loaded) => {
                    place[tier as usize] = Some(loaded.cursor);
                    found[tier as usize] = Some(by_service(loaded.stored));
                    // What the cache cannot read is read from the durable store.
                    corrupt = loaded.corrupt;
                }
                Err(failure) => error = Some(failure),
            }
        }
        let (all, differing) = match found {
            [None, None] => {
                return Err(error.unwrap_or_else(|| StoreError::unavailable("load_all", "no tier")));
            }
            [Some(cache), Some(durable)] => self.compare(cache, durable, is_full).await?,
            [cache, durable] => {
                let tier = if cache.is_some() { Tier::Cache } else { Tier::Durable };
                let of_one = cache.or(durable).unwrap_or_default();
                (of_one.into_values().map(|stored| (stored, tier)).collect(), Vec::new())
            }
        };
        if is_full {
            let sources = all.iter().map(|(stored, tier)| (stored.service().clone(), *tier));
            *self.sources() = sources.collect();
        }
        let mut stored = Vec::with_capacity(all.len());
        for (one, _) in all {
            let one = shown(one);
            self.note_shown(one.service(), Some(&one));
            stored.push(one);
        }
        let mut loaded = Loaded::new(stored, lock(&self.cursors).give(place));
        loaded.corrupt = corrupt;
        Ok((loaded, differing))
    }

    async fn read(
        self: &Arc<Self>,
        tier: Tier,
        since: Option<Cursor>,
    ) -> Result<Loaded, StoreError> {
        self.call(tier, "load_all", self.side(tier).store.load_all(since)).await
    }

    /// Puts together what the tiers have.
    async fn compare(
        self: &Arc<Self>,
        mut cache: Found,
        mut durable: Found,
        is_full: bool,
    ) -> Result<(Vec<(Stored, Tier)>, Vec<ServiceName>), StoreError> {
        if !is_full {
            self.complete(Tier::Durable, &mut durable, &cache).await?;
            self.complete(Tier::Cache, &mut cache, &durable).await?;
        }
        let mut differing = Vec::new();
        let mut all = Vec::with_capacity(cache.len().max(durable.len()));
        for (service, of_cache) in cache {
            let of_durable = durable.remove(&service);
            let (up, down) = (held(Some(&of_cache)), held(of_durable.as_ref()));
            if repair(&up, &down, Variant::Sound).is_some() {
                differing.push(service);
            }
            all.extend(merged(Some(of_cache), of_durable));
        }
        for (service, of_durable) in durable {
            if matches!(of_durable, Stored::Record(_)) {
                differing.push(service);
            }
            all.push((of_durable, Tier::Durable));
        }
        Ok((all, differing))
    }

    /// Reads what only the other tier says has changed. What cannot be read is left out.
    async fn complete(
        self: &Arc<Self>,
        tier: Tier,
        found: &mut Found,
        other: &Found,
    ) -> Result<(), StoreError> {
        let missing: Vec<ServiceName> =
            other.keys().filter(|service| !found.contains_key(*service)).cloned().collect();
        if missing.len() > ONE_BY_ONE {
            let all = self.read(tier, None).await?.stored;
            let wanted = all.into_iter().filter(|stored| other.contains_key(stored.service()));
            for stored in wanted {
                found.entry(stored.service().clone()).or_insert(stored);
            }
            return Ok(());
        }
        let loads = stream::iter(missing).map(|service| {
            let shared = Arc::clone(self);
            async move {
                let load = shared.side(tier).store.load(&service);
                shared.call(tier, "load", load).await
            }
        });
        let loaded: Vec<_> = loads.buffer_unordered(AT_ONCE).collect().await;
        for stored in loaded.into_iter().flatten().flatten() {
            found.insert(stored.service().clone(), stored);
        }
        Ok(())
    }
}

fn by_service(stored: Vec<Stored>) -> Found {
    stored.into_iter().map(|stored| (stored.service().clone(), stored)).collect()
}
