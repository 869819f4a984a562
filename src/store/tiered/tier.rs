//! One tier: a store with a deadline, which is left alone while it does not answer.

use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    health::{TierHealth, name},
    rule::Tier,
};
use crate::store::{FleetStore, StateStore, StoreError};

/// What a tier has to be.
pub(super) trait Store: StateStore + FleetStore {}

impl<S: StateStore + FleetStore> Store for S {}

/// One of the two.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) store: Arc<dyn Store>,
    pub(super) tier: Tier,
    deadline: Duration,
    threshold: u32,
    seen: Mutex<Answers>,
}

/// How it has answered.
#[derive(Debug)]
struct Answers {
    /// Since when it has been up, or down.
    since: Instant,
    is_down: bool,
    in_a_row: u32,
    failures: u64,
    last_error: Option<String>,
}

/// What a call changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Stays,
    WentDown,
}

impl Side {
    pub(super) fn new(
        store: Arc<dyn Store>,
        tier: Tier,
        deadline: Duration,
        threshold: u32,
    ) -> Self {
        let seen =
            Answers { since: now(), is_down: false, in_a_row: 0, failures: 0, last_error: None };
        Self { store, tier, deadline, threshold, seen: Mutex::new(seen) }
    }

    pub(super) fn is_down(&self) -> bool {
        self.seen().is_down
    }

    /// What the store answers within the deadline. One that is down is not asked.
    pub(super) async fn call<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> (Result<T, StoreError>, Turn) {
        if self.is_down() {
            return (Err(StoreError::unavailable(operation, NotAsked(self.tier))), Turn::Stays);
        }
        let answer = self.in_time(operation, work).await;
        let turn = self.note(answer.as_ref().err());
        (answer, turn)
    }

    /// Asks one that is down. Returns for how long it was, if it answers.
    pub(super) async fn probe<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Option<Duration> {
        match self.in_time("probe", work).await {
            Err(error) if counts(&error) => {
                let mut seen = self.seen();
                seen.failures += 1;
                seen.last_error = Some(describe(&error));
                None
            }
            _ => {
                let mut seen = self.seen();
                let lasted = now().duration_since(seen.since);
                (seen.since, seen.is_down, seen.in_a_row) = (now(), false, 0);
                Some(lasted)
            }
        }
    }

    async fn in_time<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::timed_out(operation, self.deadline)),
        }
    }

    fn note(&self, error: Option<&StoreError>) -> Turn {
        let mut seen = self.seen();
        let Some(error) = error.filter(|error| counts(error)) else {
            seen.in_a_row = 0;
            return Turn::Stays;
        };
        seen.failures += 1;
        seen.in_a_row = seen.in_a_row.saturating_add(1);
        seen.last_error = Some(describe(error));
        if seen.is_down || seen.in_a_row < self.threshold {
            return Turn::Stays;
        }
        (seen.since, seen.is_down) = (now(), true);
        Turn::WentDown
    }

    pub(super) fn health(&self, owed: usize) -> TierHealth {
        let seen = self.seen();
        let lasting = now().duration_since(seen.since);
        TierHealth {
            down_for: seen.is_down.then_some(lasting),
            lasting,
            failures: seen.failures,
            last_error: seen.last_error.clone(),
            owed,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Answers> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error says that the tier is not there, and not only that one write cannot be done.
pub(super) const fn counts(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unavailable { .. }
            | StoreError::Schema { .. }
            | StoreError::Configuration { .. }
    )
}

/// An error with its sources.
pub(super) fn describe(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[expect(clippy::disallowed_methods, reason = "how long a tier was away, for people")]
fn now() -> Instant {
    Instant::now()
}

/// The source of an error that is no answer of the store.
#[derive(Clone, Copy, Debug)]
struct NotAsked(Tier);

impl fmt::Display for NotAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} did not answer, and is not asked for a while", name(self.0))
    }
}

impl Error for NotAsked {}
