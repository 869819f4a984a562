//! Defects of events that go with a change.

use async_trait::async_trait;
use tokio::task::yield_now;
use tower_breaker::store::{
    CircuitRecord, Committed, EventRecord, Expected, HistoryStore, MemoryStore, StateStore,
    StoreError,
};

use crate::broken::{Answer, Defect};

async fn append(store: &MemoryStore, event: Option<&EventRecord>) -> Answer<()> {
    match event {
        Some(event) => store.append(std::slice::from_ref(event)).await.map(|_| ()),
        None => Ok(()),
    }
}

/// Writes the event, then the change.
#[derive(Debug, Default)]
pub(crate) struct EventFirst;

#[async_trait]
impl Defect for EventFirst {
    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        next.check_write(expected)?;
        append(store, event).await?;
        store.compare_and_swap(expected, next, None).await
    }
}

/// Writes the change, then the event.
#[derive(Debug, Default)]
pub(crate) struct EventLater;

#[async_trait]
impl Defect for EventLater {
    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        event.map_or(Ok(()), EventRecord::check)?;
        let committed = store.compare_and_swap(expected, next, None).await?;
        yield_now().await;
        append(store, event).await?;
        Ok(committed)
    }
}

/// Writes no event.
#[derive(Debug, Default)]
pub(crate) struct NoEvent;

#[async_trait]
impl Defect for NoEvent {
    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        _event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        store.compare_and_swap(expected, next, None).await
    }
}

/// Writes the events of those that lost against a writer too.
#[derive(Debug, Default)]
pub(crate) struct EveryProposal;

#[async_trait]
impl Defect for EveryProposal {
    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        let answer = store.compare_and_swap(expected, next, event).await;
        if matches!(answer, Err(StoreError::Conflict { .. })) {
            append(store, event).await?;
        }
        answer
    }
}
