//! Circuits in a store that fails.

#![deny(clippy::missing_trait_methods)]

use std::{pin::pin, time::Duration};

use async_trait::async_trait;
use futures_util::{
    StreamExt,
    future::{Either, select},
    stream::{self, BoxStream},
};
use tokio::sync::watch;

use super::{fault::Effect, faults::Faults, operation::Operation, store::FaultyStore};
use crate::{
    name::ServiceName,
    store::{
        ChangeHint, CircuitRecord, Committed, Cursor, EventRecord, Expected, Loaded, StateStore,
        StoreError, Stored,
    },
};

#[async_trait]
impl<S: StateStore> StateStore for FaultyStore<S> {
    async fn load(&self, service: &ServiceName) -> Result<Option<Stored>, StoreError> {
        self.call(Operation::Load, self.inner.load(service)).await
    }

    async fn load_all(&self, since: Option<Cursor>) -> Result<Loaded, StoreError> {
        self.call(Operation::LoadAll, self.inner.load_all(since)).await
    }

    async fn compare_and_swap(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Committed, StoreError> {
        let work = self.inner.compare_and_swap(expected, next, event);
        self.call(Operation::CompareAndSwap, work).await
    }

    async fn remove(&self, service: &ServiceName, expected: Expected) -> Result<(), StoreError> {
        self.call(Operation::Remove, self.inner.remove(service, expected)).await
    }

    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        let work = self.inner.forget_tombstones(age, at_most);
        self.call(Operation::ForgetTombstones, work).await
    }

    /// While [`Operation::Watch`] has a fault, hints are late, or lost. Once it has none any more
    /// and hints were lost, the stream says [`ChangeHint::Resync`].
    fn watch(&self) -> BoxStream<'static, ChangeHint> {
        self.faults.count(Operation::Watch);
        let watcher = Watcher {
            hints: self.inner.watch(),
            changes: self.faults.changes(),
            faults: self.faults.clone(),
            lost: false,
        };
        let hints = stream::unfold(watcher, async |mut watcher| {
            watcher.next().await.map(|hint| (hint, watcher))
        });
        hints.boxed()
    }
}

struct Watcher {
    hints: BoxStream<'static, ChangeHint>,
    changes: watch::Receiver<()>,
    faults: Faults,
    /// Whether hints were lost that nobody was told of.
    lost: bool,
}

impl Watcher {
    async fn next(&mut self) -> Option<ChangeHint> {
        loop {
            let changed = pin!(self.changes.changed());
            match select(self.hints.next(), changed).await {
                Either::Left((None, _)) => return None,
                Either::Left((Some(hint), _)) => match self.faults.draw(Operation::Watch) {
                    None => {
                        let lost = std::mem::take(&mut self.lost);
                        return Some(if lost { ChangeHint::Resync } else { hint });
                    }
                    Some(fault) => {
                        tokio::time::sleep(fault.delay).await;
                        if fault.effect == Effect::None {
                            return Some(hint);
                        }
                        self.lost = true;
                    }
                },
                Either::Right(_) => {
                    if self.lost && !self.faults.loses_hints() {
                        self.lost = false;
                        return Some(ChangeHint::Resync);
                    }
                }
            }
        }
    }
}
