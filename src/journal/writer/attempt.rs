//! One try at the store.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;

use crate::store::StoreError;

/// Asks the store, and makes an error of a store that does not answer in time, or panics.
pub(in crate::journal) async fn attempt<T>(
    limit: Duration,
    operation: &'static str,
    asking: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, AssertUnwindSafe(asking).catch_unwind()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(StoreError::unavailable(operation, "the store panicked")),
        Err(_) => Err(StoreError::timed_out(operation, limit)),
    }
}

/// Whether an error is about what was to be written, which does not get better by waiting.
pub(super) fn is_refusal(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Invalid { .. } | StoreError::Corrupt { .. } | StoreError::Conflict { .. }
    )
}
