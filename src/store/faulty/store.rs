//! The wrapper.

use std::{error::Error, fmt, future::pending};

use super::{fault::Effect, faults::Faults, operation::Operation};
use crate::store::StoreError;

/// A store around another one that fails when its [`Faults`] say so.
#[derive(Clone, Debug)]
pub struct FaultyStore<S> {
    pub(super) inner: S,
    pub(super) faults: Faults,
}

impl<S> FaultyStore<S> {
    /// Wraps a store.
    #[must_use]
    pub fn new(inner: S, faults: &Faults) -> Self {
        Self { inner, faults: faults.clone() }
    }

    /// The store that is wrapped: what is asked of it is not counted and does not fail.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Does `work`, unless something goes wrong.
    pub(super) async fn call<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.faults.count(operation);
        let Some(fault) = self.faults.draw(operation) else { return work.await };
        if !fault.delay.is_zero() {
            tokio::time::sleep(fault.delay).await;
        }
        match fault.effect {
            Effect::None => work.await,
            Effect::Error => Err(StoreError::unavailable(operation.as_str(), Injected)),
            Effect::Hang => pending().await,
            Effect::LostAcknowledgement => {
                // Whatever the answer is, it does not arrive.
                let _ = work.await;
                Err(StoreError::unavailable(operation.as_str(), Injected))
            }
        }
    }
}

/// The source of an error that was asked for.
#[derive(Clone, Copy, Debug)]
struct Injected;

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault of a test")
    }
}

impl Error for Injected {}
