//! Where processes meet, in two tiers.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use ahash::RandomState;
use async_trait::async_trait;
use futures_util::future::join;

use super::{
    rule::Tier,
    shared::{Shared, lock},
    store::TieredStore,
    tier::counts,
};
use crate::store::{FleetStore, InstanceRow, NamedLease, RunId, StoreError};

/// What the tiers gave for one lease.
pub(super) type Leases = [Option<NamedLease>; 2];

/// Whether this is what was given for a lease.
fn is_of(held: &Leases, lease: &NamedLease) -> bool {
    held.iter().flatten().any(|of_tier| of_tier.name == lease.name)
}

/// What a tier says of a lease; none if it does not answer.
type Said<T> = Result<Option<T>, StoreError>;

/// An answer, or none from a tier that is not there.
fn if_there<T>(answer: Result<T, StoreError>) -> Said<T> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if counts(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn nobody(operation: &'static str) -> StoreError {
    StoreError::unavailable(operation, "neither tier answers")
}

impl TieredStore {
    async fn take(&self, tier: Tier, lease: &NamedLease) -> Said<Option<NamedLease>> {
        let work = self.side(tier).lease(&lease.name, lease.owner, lease.term);
        if_there(self.shared.call(tier, "lease", work).await)
    }

    async fn give_back(&self, tier: Tier, lease: &NamedLease) -> Said<bool> {
        let work = self.side(tier).release(lease);
        if_there(self.shared.call(tier, "release", work).await)
    }

    fn side(&self, tier: Tier) -> &dyn FleetStore {
        &*self.shared.side(tier).store
    }

    /// Gives back what tiers gave. The cache comes last, since who has that has the next word.
    async fn give_all_back(&self, held: &Leases) -> Said<bool> {
        let mut held_anywhere = None;
        for tier in [Tier::Durable, Tier::Cache] {
            if let Some(lease) = &held[tier as usize] {
                let released = self.give_back(tier, lease).await?;
                held_anywhere = held_anywhere.max(released);
            }
        }
        Ok(held_anywhere)
    }
}

#[async_trait]
impl FleetStore for TieredStore {
    /// As [`FleetStore::lease`]: given if every tier that can be reached gives it, the cache first.
    async fn lease(
        &self,
        name: &str,
        owner: RunId,
        term: Duration,
    ) -> Result<Option<NamedLease>, StoreError> {
        NamedLease::check_name(name)?;
        let wanted = NamedLease::new(name.to_owned(), 0, owner, term);
        let mut held: Leases = [None, None];
        for tier in Tier::ALL {
            match self.take(tier, &wanted).await? {
                Some(Some(lease)) => held[tier as usize] = Some(lease),
                Some(None) => {
                    self.give_all_back(&held).await?;
                    return Ok(None);
                }
                None => {}
            }
        }
        let first = held.iter().flatten().next().cloned();
        let Some(lease) = first else { return Err(nobody("lease")) };
        lock(&self.shared.leases).insert(lease.token, held);
        Ok(Some(lease))
    }

    /// As [`FleetStore::renew`]: held if every tier that can be reached renews it. A tier that was not
    /// there when it was taken, or has lost it, is asked for it anew.
    async fn renew(&self, lease: &NamedLease) -> Result<bool, StoreError> {
        let known = lock(&self.shared.leases).get(&lease.token).cloned();
        let Some(mut held) = known.filter(|held| is_of(held, lease)) else { return Ok(false) };
        let mut renewed = false;
        for tier in Tier::ALL {
            let said = match &held[tier as usize] {
                Some(of_tier) => {
                    let of_tier = NamedLease { term: lease.term, ..of_tier.clone() };
                    let work = self.side(tier).renew(&of_tier);
                    if_there(self.shared.call(tier, "renew", work).await)?
                }
                None => Some(false),
            };
            match said {
                Some(true) => renewed = true,
                Some(false) => match self.take(tier, lease).await? {
                    Some(Some(anew)) => {
                        held[tier as usize] = Some(anew);
                        // A term that ran out and was taken by nobody goes on.
                        renewed = true;
                    }
                    Some(None) => {
                        lock(&self.shared.leases).remove(&lease.token);
                        self.give_all_back(&held).await?;
                        return Ok(false);
                    }
                    None => {}
                },
                None => {}
            }
        }
        if !renewed {
            return Err(nobody("renew"));
        }
        lock(&self.shared.leases).insert(lease.token, held);
        Ok(true)
    }

    async fn release(&self, lease: &NamedLease) -> Result<bool, StoreError> {
        let known = lock(&self.shared.leases).remove(&lease.token);
        let Some(held) = known.filter(|held| is_of(held, lease)) else { return Ok(false) };
        match self.give_all_back(&held).await? {
            Some(released) => Ok(released),
            None => {
                lock(&self.shared.leases).insert(lease.token, held);
                Err(nobody("release"))
            }
        }
    }

    /// As [`FleetStore::publish`], in every tier that can be reached.
    async fn publish(&self, row: &InstanceRow) -> Result<(), StoreError> {
        row.check()?;
        let said = both(&self.shared, "publish", |store| store.publish(row)).await?;
        said.into_iter().flatten().next().ok_or_else(|| nobody("publish"))
    }

    /// As [`FleetStore::instances`]: of the rows of both tiers the one that was told last.
    async fn instances(&self, age: Duration) -> Result<Vec<InstanceRow>, StoreError> {
        let said = both(&self.shared, "instances", |store| store.instances(age)).await?;
        if said.iter().all(Option::is_none) {
            return Err(nobody("instances"));
        }
        let mut rows: HashMap<RunId, InstanceRow, RandomState> = HashMap::default();
        for row in said.into_iter().flatten().flatten() {
            match rows.entry(row.run) {
                Entry::Vacant(entry) => {
                    entry.insert(row);
                }
                Entry::Occupied(mut entry) if row.age < entry.get().age => {
                    entry.insert(row);
                }
                Entry::Occupied(_) => {}
            }
        }
        Ok(rows.into_values().collect())
    }

    /// As [`FleetStore::retire`]. In a tier that is down the row stays until it is too old.
    async fn retire(&self, run: RunId) -> Result<(), StoreError> {
        let said = both(&self.shared, "retire", |store| store.retire(run)).await?;
        said.into_iter().flatten().next().ok_or_else(|| nobody("retire"))
    }

    async fn forget_instances(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        let said =
            both(&self.shared, "forget_instances", |store| store.forget_instances(age, at_most))
                .await?;
        said.into_iter().flatten().max().ok_or_else(|| nobody("forget_instances"))
    }
}

/// What both tiers say; none of one that does not answer.
async fn both<'a, T, Fut>(
    shared: &'a Arc<Shared>,
    operation: &'static str,
    ask: impl Fn(&'a dyn FleetStore) -> Fut,
) -> Result<[Option<T>; 2], StoreError>
where
    Fut: Future<Output = Result<T, StoreError>>,
{
    let of = |tier: Tier| {
        let store: &'a dyn FleetStore = &*shared.side(tier).store;
        shared.call(tier, operation, ask(store))
    };
    let (cache, durable) = join(of(Tier::Cache), of(Tier::Durable)).await;
    Ok([if_there(cache)?, if_there(durable)?])
}
