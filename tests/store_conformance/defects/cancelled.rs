//! Defects that show when a call is dropped half-way.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::task::yield_now;
use tower_breaker::{
    ServiceName,
    store::{
        CircuitRecord, Committed, EventRecord, Expected, HistoryStore, Lane, MemoryStore,
        StateStore, StoreError, Stored,
    },
};

use crate::broken::{Answer, Defect};

/// Removes a record and writes it anew.
#[derive(Debug, Default)]
pub(crate) struct TwoSteps;

#[async_trait]
impl Defect for TwoSteps {
    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        next.check_write(expected)?;
        let found = store.load(&next.service).await?;
        if expected.lane == Lane::State && matches!(found, Some(Stored::Record(_))) {
            store.remove(&next.service, expected).await?;
            yield_now().await;
        }
        store.compare_and_swap(expected, next, event).await
    }
}

/// Takes a lock that a dropped call does not give back.
#[derive(Debug, Default)]
pub(crate) struct KeptLock(AtomicBool);

#[async_trait]
impl Defect for KeptLock {
    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        self.lock()?;
        yield_now().await;
        self.0.store(false, Ordering::Release);
        store.compare_and_swap(expected, next, event).await
    }

    async fn load(&self, store: &MemoryStore, service: &ServiceName) -> Answer<Option<Stored>> {
        self.lock()?;
        self.0.store(false, Ordering::Release);
        store.load(service).await
    }
}

impl KeptLock {
    fn lock(&self) -> Answer<()> {
        if self.0.swap(true, Ordering::Acquire) {
            return Err(StoreError::unavailable("lock", "somebody has the lock"));
        }
        Ok(())
    }
}

/// Appends events in batches of seven.
#[derive(Debug, Default)]
pub(crate) struct AppendInSteps;

#[async_trait]
impl Defect for AppendInSteps {
    async fn append(&self, store: &MemoryStore, events: &[EventRecord]) -> Answer<u64> {
        events.iter().try_for_each(EventRecord::check)?;
        let mut new = 0;
        for batch in events.chunks(7) {
            new += store.append(batch).await?;
            yield_now().await;
        }
        Ok(new)
    }
}
