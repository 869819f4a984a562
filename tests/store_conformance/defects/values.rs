//! Defects of what is kept.

use std::time::Duration;

use async_trait::async_trait;
use tower_breaker::{
    ServiceName,
    breaker::clock::{Clock, TokioClock},
    store::{
        CircuitRecord, Committed, EventRecord, Expected, MemoryStore, StateStore, Stored, Timestamp,
    },
};

use crate::broken::{Answer, Defect};

/// Keeps only the fields it knows.
#[derive(Debug, Default)]
pub(crate) struct UnknownDropped;

#[async_trait]
impl Defect for UnknownDropped {
    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        let mut next = next.clone();
        next.extra.clear();
        store.compare_and_swap(expected, &next, event).await
    }
}

/// Shows the unknown fields of the last write alone.
#[derive(Debug, Default)]
pub(crate) struct UnknownReplaced(std::sync::Mutex<serde_json::Map<String, serde_json::Value>>);

#[async_trait]
impl Defect for UnknownReplaced {
    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        self.0.lock().unwrap().clone_from(&next.extra);
        store.compare_and_swap(expected, next, event).await
    }

    async fn load(&self, store: &MemoryStore, service: &ServiceName) -> Answer<Option<Stored>> {
        let mut found = store.load(service).await?;
        if let Some(Stored::Record(record)) = &mut found {
            record.extra.clone_from(&self.0.lock().unwrap());
        }
        Ok(found)
    }
}

/// Takes names that differ in case for one.
#[derive(Debug, Default)]
pub(crate) struct NoCase;

fn lower(service: &ServiceName) -> ServiceName {
    ServiceName::new(service.as_str().to_ascii_lowercase()).unwrap()
}

#[async_trait]
impl Defect for NoCase {
    async fn load(&self, store: &MemoryStore, service: &ServiceName) -> Answer<Option<Stored>> {
        store.load(&lower(service)).await
    }

    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        let mut next = next.clone();
        next.service = lower(&next.service);
        store.compare_and_swap(expected, &next, event).await
    }
}

/// Has columns of 32 bits with a sign.
#[derive(Debug, Default)]
pub(crate) struct SmallNumbers;

#[async_trait]
impl Defect for SmallNumbers {
    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        let mut next = next.clone();
        next.state.reopens = next.state.reopens.min(i32::MAX as u32);
        store.compare_and_swap(expected, &next, event).await
    }
}

/// Believes the proposer's wall clock.
#[derive(Debug)]
pub(crate) struct ProposersClock(TokioClock);

impl Default for ProposersClock {
    fn default() -> Self {
        Self(TokioClock::new())
    }
}

#[async_trait]
impl Defect for ProposersClock {
    async fn compare_and_swap(
        &self,
        store: &MemoryStore,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Answer<Committed> {
        let mut next = next.clone();
        next.age = Timestamp::from(self.0.wall()).since(next.state.changed_at);
        store.compare_and_swap(expected, &next, event).await
    }
}

/// Says that everything has just happened.
#[derive(Debug, Default)]
pub(crate) struct NoAge;

#[async_trait]
impl Defect for NoAge {
    async fn load(&self, store: &MemoryStore, service: &ServiceName) -> Answer<Option<Stored>> {
        let mut found = store.load(service).await?;
        if let Some(Stored::Record(record)) = &mut found {
            record.age = Duration::ZERO;
        }
        Ok(found)
    }
}
