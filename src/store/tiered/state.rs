//! Circuits in two tiers.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::{
    drive::Drive,
    recover,
    rule::Tier,
    shared::{detached, lock},
    store::TieredStore,
    view::{is_partial, merged, shown},
    watch,
};
use crate::{
    name::ServiceName,
    store::{
        ChangeHint, CircuitRecord, Committed, Cursor, EventRecord, Expected, Loaded, StateStore,
        StoreError, Stored,
    },
};

#[async_trait]
impl StateStore for TieredStore {
    /// What the cache has; what it has not, or not whole, is read from the durable store.
    async fn load(&self, service: &ServiceName) -> Result<Option<Stored>, StoreError> {
        let shared = &self.shared;
        let read = async |tier: Tier| {
            shared.call(tier, "load", shared.side(tier).store.load(service)).await
        };
        let found = match read(Tier::Cache).await {
            Ok(Some(stored)) if !is_partial(&stored) => Some(stored),
            Ok(partial) => match read(Tier::Durable).await {
                Ok(Some(stored)) => {
                    recover::settle_soon(shared, [service.clone()]);
                    merged(partial, Some(stored)).map(|(stored, _)| stored)
                }
                Ok(None) | Err(StoreError::Unavailable { .. }) => partial,
                Err(error) => return Err(error),
            },
            Err(_) => read(Tier::Durable).await?,
        };
        let found = found.map(shown);
        shared.note_shown(service, found.as_ref());
        Ok(found)
    }

    /// What both tiers have. Circuits on which they differ are brought to agree in the background.
    async fn load_all(&self, since: Option<Cursor>) -> Result<Loaded, StoreError> {
        let (loaded, differing) = self.shared.read_all(since).await?;
        recover::settle_soon(&self.shared, differing);
        Ok(loaded)
    }

    /// As [`StateStore::compare_and_swap`], on both tiers. Where the durable one was not there,
    /// [`Committed::version`] is of a new epoch, and not that of `next`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not stop what was begun.
    async fn compare_and_swap(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Committed, StoreError> {
        next.check_write(expected)?;
        if let Some(event) = event {
            event.check()?;
        }
        let drive = Drive::swap(&self.shared, expected, next.clone(), event.cloned());
        detached("compare_and_swap", drive.run()).await
    }

    /// As [`StateStore::remove`], on both tiers.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not stop what was begun.
    async fn remove(&self, service: &ServiceName, expected: Expected) -> Result<(), StoreError> {
        let drive = Drive::remove(&self.shared, service, expected);
        detached("remove", drive.run()).await.map(|_| ())
    }

    /// As [`StateStore::forget_tombstones`], on both tiers, and on neither where one is down: a
    /// tombstone is what keeps an older record on the other tier from coming back.
    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        let shared = Arc::clone(&self.shared);
        if shared.any_down() {
            return Ok(0);
        }
        let since = *lock(&shared.agreed);
        let (loaded, differing) = shared.read_all(since).await?;
        for service in differing {
            recover::settle(&shared, &service).await?;
        }
        if shared.any_down() {
            return Ok(0);
        }
        *lock(&shared.agreed) = Some(loaded.cursor);
        let mut forgotten = 0;
        for tier in [Tier::Durable, Tier::Cache] {
            let store = &shared.side(tier).store;
            let work = store.forget_tombstones(age, at_most);
            forgotten = forgotten.max(shared.call(tier, "forget_tombstones", work).await?);
        }
        Ok(forgotten)
    }

    /// The hints of the cache; while that is down, those of the durable store.
    fn watch(&self) -> BoxStream<'static, ChangeHint> {
        watch::watch(&self.shared)
    }
}
