//! What is said once.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ahash::RandomState;

use super::health::describe;
use crate::{breaker::ServiceName, store::StoreError};

/// How many different complaints are told apart; after that, none is logged any more.
const MOST: usize = 1024;

/// Logs errors that stay until somebody does something: each one once, and records that cannot be
/// read when they can be again.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    corrupt: Mutex<HashSet<(String, String), RandomState>>,
    refused: Mutex<HashSet<String, RandomState>>,
}

impl Complaints {
    /// A record cannot be read. Returns whether that is new.
    pub(super) fn corrupt(&self, error: &StoreError) -> bool {
        let Some(row) = row_of(error) else { return false };
        let new = insert(lock(&self.corrupt), row);
        if new {
            tracing::error!(
                error = describe(error),
                "circuit breaker: a record cannot be read and is left as it is"
            );
        }
        new
    }

    /// All records were read, but for these.
    pub(super) fn read_but_for(&self, corrupt: &[StoreError]) {
        let still: HashSet<_, RandomState> = corrupt.iter().filter_map(row_of).collect();
        lock(&self.corrupt).retain(|row| {
            let still = still.contains(row);
            if !still {
                let (place, row) = row;
                tracing::info!(%place, %row, "circuit breaker: a record can be read again");
            }
            still
        });
    }

    /// Whether there are records that could not be read when they were last looked at.
    pub(super) fn has_corrupt(&self) -> bool {
        !lock(&self.corrupt).is_empty()
    }

    /// The store does not take a change, and will not take it later.
    pub(super) fn refused(&self, service: &ServiceName, error: &StoreError) {
        if insert(lock(&self.refused), format!("{service}: {error}")) {
            tracing::error!(
                service = %service,
                error = describe(error),
                "circuit breaker: the store refuses a change; it stays in this process"
            );
        }
    }
}

/// Where a record is that cannot be read.
fn row_of(error: &StoreError) -> Option<(String, String)> {
    match error {
        StoreError::Corrupt { place, row, .. } => Some((place.clone(), row.clone())),
        _ => None,
    }
}

fn insert<T: std::hash::Hash + Eq>(
    mut known: MutexGuard<'_, HashSet<T, RandomState>>,
    complaint: T,
) -> bool {
    known.len() < MOST && known.insert(complaint)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
