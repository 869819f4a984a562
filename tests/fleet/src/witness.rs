//! A store that says what is written through it, and whether it answers.

#![deny(clippy::missing_trait_methods)]

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tower_breaker::{
    ServiceName,
    store::{
        ChangeHint, CircuitRecord, Committed, Cursor, EventRecord, Expected, Lane, Loaded,
        StateStore, StoreError, Stored,
    },
};
use tower_breaker_torture::{line::Attempt, witness::with_sources};

use crate::said::{Answer, Leased, Line, Write};

/// Where a record counts the leases in a row that saw no call.
const UNUSED: &str = "unused_leases";

/// Hands everything on to a store, and tells of it.
pub struct Witness {
    inner: Arc<dyn StateStore>,
    /// How long an operation may take. The registry gives up no earlier, so that what became of each
    /// operation is told.
    timeout: Duration,
    up: AtomicBool,
}

impl Witness {
    /// A witness of a store whose operations may take so long.
    #[must_use]
    pub fn new(inner: Arc<dyn StateStore>, timeout: Duration) -> Self {
        Self { inner, timeout, up: AtomicBool::new(false) }
    }

    async fn asked<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = tokio::time::timeout(self.timeout, answer).await.unwrap_or_else(|_| {
            Err(StoreError::unavailable(operation, "it took longer than its witness waits"))
        });
        let error = answer.as_ref().err().filter(|error| error.is_unavailable());
        let up = error.is_none();
        if self.up.swap(up, Ordering::AcqRel) != up {
            Line::Store { up, error: error.map(|error| with_sources(error)) }.say();
        }
        answer
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl StateStore for Witness {
    async fn load(&self, service: &ServiceName) -> Result<Option<Stored>, StoreError> {
        self.asked("load", self.inner.load(service)).await
    }

    async fn load_all(&self, since: Option<Cursor>) -> Result<Loaded, StoreError> {
        self.asked("load_all", self.inner.load_all(since)).await
    }

    async fn compare_and_swap(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Committed, StoreError> {
        let lease = next.state.lease.as_ref().filter(|_| expected.lane == Lane::State);
        let of = Line::Try(Write {
            attempt: Attempt::of(expected, next, event),
            expected: expected.version,
            lease: lease.map(|lease| Leased {
                token: lease.token,
                owner: lease.owner,
                renewals: lease.renewals,
                budget: lease.budget,
            }),
            reason: event.and_then(|event| event.reason.clone()).unwrap_or_default(),
            unused: next.extra.get(UNUSED).and_then(serde_json::Value::as_u64),
        })
        .say();
        let written = self.inner.compare_and_swap(expected, next, event);
        let answer = self.asked("compare_and_swap", written).await;
        let told = match &answer {
            Ok(committed) => Answer::Taken { version: committed.version },
            Err(StoreError::Conflict { current }) => Answer::Conflict {
                version: current.as_deref().map(|current| current.version(expected.lane)),
                change: match current.as_deref() {
                    Some(Stored::Record(record)) => Some(record.change_id(expected.lane)),
                    _ => None,
                },
            },
            Err(error) => Answer::Failed { error: with_sources(error) },
        };
        Line::Answer { of, answer: told }.say();
        answer
    }

    async fn remove(&self, service: &ServiceName, expected: Expected) -> Result<(), StoreError> {
        self.asked("remove", self.inner.remove(service, expected)).await
    }

    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        self.asked("forget_tombstones", self.inner.forget_tombstones(age, at_most)).await
    }

    fn watch(&self) -> BoxStream<'static, ChangeHint> {
        self.inner.watch()
    }
}
