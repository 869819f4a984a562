//! What a check works with: two handles to one fresh store.

use std::sync::Arc;

use super::{
    runner::{Damage, Opened},
    verdict::{Doing, Stop, Verdict, ensure},
};
use crate::{
    name::ServiceName,
    store::{
        CircuitRecord, Committed, EventQuery, EventRecord, Expected, FleetStore, HistoryStore,
        Lane, StateStore, StoreError, Stored,
    },
};

/// Two handles to a store of circuits.
#[derive(Clone)]
pub(super) struct StateBench {
    pub(super) one: Arc<dyn StateStore>,
    pub(super) other: Arc<dyn StateStore>,
    pub(super) damage: Damage,
}

impl StateBench {
    pub(super) fn of<S: StateStore>(opened: Opened<S>) -> Self {
        Self { one: opened.one, other: opened.other, damage: opened.damage }
    }

    /// The handles by turns.
    pub(super) fn handle(&self, turn: usize) -> Arc<dyn StateStore> {
        Arc::clone(if turn.is_multiple_of(2) { &self.one } else { &self.other })
    }

    /// What is stored of a circuit.
    pub(super) async fn load(&self, service: &ServiceName) -> Result<Option<Stored>, Stop> {
        self.one.load(service).await.doing(format_args!("load `{service}`"))
    }

    /// The record of a circuit that must be there.
    pub(super) async fn record(&self, service: &ServiceName) -> Result<CircuitRecord, Stop> {
        match self.load(service).await? {
            Some(Stored::Record(record)) => Ok(record),
            other => Err(Stop::Failed(format!("`{service}` has no record but {other:?}"))),
        }
    }

    /// A write that must be taken, from whatever is stored.
    pub(super) async fn write(&self, lane: Lane, next: &CircuitRecord) -> Result<Committed, Stop> {
        let found = self.load(&next.service).await?;
        let expected = Expected::found(lane, found.as_ref());
        self.write_from(expected, next).await
    }

    /// A write that must be taken, from what is expected.
    pub(super) async fn write_from(
        &self,
        expected: Expected,
        next: &CircuitRecord,
    ) -> Result<Committed, Stop> {
        let written = self.one.compare_and_swap(expected, next, None).await;
        let committed = written.doing(format_args!("the write of {expected:?}"))?;
        ensure!(
            committed.version == next.version(expected.lane),
            "the version {} was written and {} was acknowledged",
            next.version(expected.lane),
            committed.version
        );
        Ok(committed)
    }
}

/// What is there now, from a write that must have been a conflict.
pub(super) fn conflict<T: std::fmt::Debug>(
    what: &str,
    answer: Result<T, StoreError>,
) -> Result<Option<Stored>, Stop> {
    match answer {
        Err(StoreError::Conflict { current }) => Ok(current.map(|current| *current)),
        other => Err(Stop::Failed(format!("{what} must be a conflict and was {other:?}"))),
    }
}

/// Whether a write was refused as not valid.
pub(super) fn invalid<T: std::fmt::Debug>(what: &str, answer: Result<T, StoreError>) -> Verdict {
    ensure!(
        matches!(answer, Err(StoreError::Invalid { .. })),
        "{what} must be refused as not valid and was {answer:?}"
    );
    Ok(())
}

/// Two handles to a history.
#[derive(Clone)]
pub(super) struct HistoryBench {
    pub(super) one: Arc<dyn HistoryStore>,
    pub(super) other: Arc<dyn HistoryStore>,
}

impl HistoryBench {
    pub(super) fn of<S: HistoryStore>(opened: Opened<S>) -> Self {
        Self { one: opened.one, other: opened.other }
    }

    /// All events that a query finds, page by page.
    pub(super) async fn events(&self, query: EventQuery) -> Result<Vec<EventRecord>, Stop> {
        let mut query = query;
        let mut events = Vec::new();
        loop {
            let page = self.other.events(&query).await.doing("a query of events")?;
            events.extend(page.items);
            if page.next.is_none() {
                return Ok(events);
            }
            ensure!(events.len() < 100_000, "the pages of a query have no end");
            query.page = page.next;
        }
    }

    /// Appends events that are valid.
    pub(super) async fn append(&self, events: &[EventRecord]) -> Result<u64, Stop> {
        self.one.append(events).await.doing("append")
    }
}

/// Two handles to a store that keeps circuits and a history.
#[derive(Clone)]
pub(super) struct BothBench {
    pub(super) state: StateBench,
    pub(super) history: HistoryBench,
}

impl BothBench {
    pub(super) fn of<S: StateStore + HistoryStore>(opened: Opened<S>) -> Self {
        let history = HistoryBench {
            one: Arc::clone(&opened.one) as _,
            other: Arc::clone(&opened.other) as _,
        };
        Self { state: StateBench::of(opened), history }
    }

    /// The events of a service.
    pub(super) async fn events(&self, service: &ServiceName) -> Result<Vec<EventRecord>, Stop> {
        self.history.events(EventQuery::of(service.clone())).await
    }
}

/// Two handles to where processes meet.
#[derive(Clone)]
pub(super) struct FleetBench {
    pub(super) one: Arc<dyn FleetStore>,
    pub(super) other: Arc<dyn FleetStore>,
}

impl FleetBench {
    pub(super) fn of<S: FleetStore>(opened: Opened<S>) -> Self {
        Self { one: opened.one, other: opened.other }
    }

    /// The handles by turns.
    pub(super) fn handle(&self, turn: usize) -> Arc<dyn FleetStore> {
        Arc::clone(if turn.is_multiple_of(2) { &self.one } else { &self.other })
    }
}
