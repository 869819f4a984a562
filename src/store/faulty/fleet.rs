//! Leases and rows of processes in a store that fails.

#![deny(clippy::missing_trait_methods)]

use std::time::Duration;

use async_trait::async_trait;

use super::{operation::Operation, store::FaultyStore};
use crate::store::{FleetStore, InstanceRow, NamedLease, RunId, StoreError};

#[async_trait]
impl<S: FleetStore> FleetStore for FaultyStore<S> {
    async fn lease(
        &self,
        name: &str,
        owner: RunId,
        term: Duration,
    ) -> Result<Option<NamedLease>, StoreError> {
        self.call(Operation::Lease, self.inner.lease(name, owner, term)).await
    }

    async fn renew(&self, lease: &NamedLease) -> Result<bool, StoreError> {
        self.call(Operation::Renew, self.inner.renew(lease)).await
    }

    async fn release(&self, lease: &NamedLease) -> Result<bool, StoreError> {
        self.call(Operation::Release, self.inner.release(lease)).await
    }

    async fn publish(&self, row: &InstanceRow) -> Result<(), StoreError> {
        self.call(Operation::Publish, self.inner.publish(row)).await
    }

    async fn instances(&self, age: Duration) -> Result<Vec<InstanceRow>, StoreError> {
        self.call(Operation::Instances, self.inner.instances(age)).await
    }

    async fn retire(&self, run: RunId) -> Result<(), StoreError> {
        self.call(Operation::Retire, self.inner.retire(run)).await
    }

    async fn forget_instances(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        self.call(Operation::ForgetInstances, self.inner.forget_instances(age, at_most)).await
    }
}
