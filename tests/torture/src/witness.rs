//! A store that says what is tried and what was acknowledged.

#![deny(clippy::missing_trait_methods)]

use std::{
    fmt,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tower_breaker::{
    ServiceName,
    store::{
        ChangeHint, CircuitRecord, Committed, Cursor, EventRecord, Expected, Loaded, StateStore,
        StoreError, Stored,
    },
};

use crate::line::{Attempt, Line, Point};

type Say = dyn Fn(Line) + Send + Sync;

/// Where a witness stops for ever.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    /// At which write, counted from 1; [`Point::After`] at the first one from there that was taken.
    pub at: u64,
    /// Where in it.
    pub point: Point,
}

/// Hands everything on to a store, and tells of writes.
pub struct Witness {
    inner: Arc<dyn StateStore>,
    say: Box<Say>,
    hold: Option<Hold>,
    writes: AtomicU64,
}

impl Witness {
    /// A witness of a store that tells `say`.
    pub fn new(
        inner: Arc<dyn StateStore>,
        hold: Option<Hold>,
        say: impl Fn(Line) + Send + Sync + 'static,
    ) -> Self {
        Self { inner, say: Box::new(say), hold, writes: AtomicU64::new(0) }
    }

    async fn hold(&self, point: Point, attempt: &Attempt) {
        (self.say)(Line::Hold { point, attempt: attempt.clone() });
        pending().await
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
        self.inner.load(service).await
    }

    async fn load_all(&self, since: Option<Cursor>) -> Result<Loaded, StoreError> {
        self.inner.load_all(since).await
    }

    async fn compare_and_swap(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Committed, StoreError> {
        let attempt = Attempt::of(expected, next, event);
        let write = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        let held = self.hold.filter(|hold| match hold.point {
            Point::After => write >= hold.at,
            Point::Before | Point::During => write == hold.at,
        });
        (self.say)(Line::Try(attempt.clone()));
        match held.map(|hold| hold.point) {
            Some(Point::Before) => self.hold(Point::Before, &attempt).await,
            Some(Point::During) => {
                (self.say)(Line::Hold { point: Point::During, attempt: attempt.clone() });
            }
            Some(Point::After) | None => {}
        }
        let answer = self.inner.compare_and_swap(expected, next, event).await;
        match (&answer, held.map(|hold| hold.point)) {
            (_, Some(Point::During)) => pending().await,
            (Ok(_), Some(Point::After)) => self.hold(Point::After, &attempt).await,
            (Ok(_), _) => (self.say)(Line::Ack(attempt)),
            (Err(error), _) if error.is_conflict() => (self.say)(Line::Conflict(attempt)),
            (Err(error), _) => {
                (self.say)(Line::Failed { attempt, error: with_sources(error) });
            }
        }
        answer
    }

    async fn remove(&self, service: &ServiceName, expected: Expected) -> Result<(), StoreError> {
        self.inner.remove(service, expected).await
    }

    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        self.inner.forget_tombstones(age, at_most).await
    }

    fn watch(&self) -> BoxStream<'static, ChangeHint> {
        self.inner.watch()
    }
}

/// An error and what caused it.
#[must_use]
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
