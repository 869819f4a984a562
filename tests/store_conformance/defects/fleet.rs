//! Defects of leases and rows of processes.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use tokio::task::yield_now;
use tower_breaker::store::{FleetStore, InstanceRow, MemoryStore, NamedLease, RunId};

use crate::broken::{Answer, Defect};

/// Gives a lease to its holder once more.
#[derive(Debug, Default)]
pub(crate) struct SharedLease(Mutex<Vec<NamedLease>>);

#[async_trait]
impl Defect for SharedLease {
    async fn lease(
        &self,
        store: &MemoryStore,
        name: &str,
        owner: RunId,
        term: Duration,
    ) -> Answer<Option<NamedLease>> {
        let given = store.lease(name, owner, term).await?;
        let mut held = self.0.lock().unwrap();
        held.extend(given.clone());
        let own = held.iter().rev().find(|lease| lease.name == name && lease.owner == owner);
        Ok(given.or(own.cloned()))
    }
}

/// Renews a lease for whoever had it.
#[derive(Debug, Default)]
pub(crate) struct Unfenced;

#[async_trait]
impl Defect for Unfenced {
    async fn renew(&self, store: &MemoryStore, lease: &NamedLease) -> Answer<bool> {
        store.renew(lease).await?;
        Ok(true)
    }
}

/// Looks whether a lease is free, and takes it later.
#[derive(Debug, Default)]
pub(crate) struct LeaseInSteps;

#[async_trait]
impl Defect for LeaseInSteps {
    async fn lease(
        &self,
        store: &MemoryStore,
        name: &str,
        owner: RunId,
        term: Duration,
    ) -> Answer<Option<NamedLease>> {
        let Some(lease) = store.lease(name, owner, term).await? else { return Ok(None) };
        store.release(&lease).await?;
        yield_now().await;
        let taken = store.lease(name, owner, term).await?;
        Ok(taken.or(Some(lease)))
    }
}

/// Gives leases that never run out.
#[derive(Debug, Default)]
pub(crate) struct NoEnd;

#[async_trait]
impl Defect for NoEnd {
    async fn lease(
        &self,
        store: &MemoryStore,
        name: &str,
        owner: RunId,
        term: Duration,
    ) -> Answer<Option<NamedLease>> {
        let lease = store.lease(name, owner, Duration::MAX).await?;
        Ok(lease.map(|lease| NamedLease::new(lease.name, lease.token, owner, term)))
    }
}

/// Tells the rows of processes that are long gone.
#[derive(Debug, Default)]
pub(crate) struct AnyAge;

#[async_trait]
impl Defect for AnyAge {
    async fn instances(&self, store: &MemoryStore, _age: Duration) -> Answer<Vec<InstanceRow>> {
        store.instances(Duration::MAX).await
    }
}
