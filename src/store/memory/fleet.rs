//! Leases and rows of processes in memory.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;

use super::store::MemoryStore;
use crate::store::{FleetStore, InstanceRow, NamedLease, RunId, StoreError, Timestamp};

/// The leases by name, and the rows of processes.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    leases: HashMap<String, Held>,
    instances: HashMap<RunId, Told>,
}

#[derive(Debug)]
struct Held {
    token: u64,
    term: Duration,
    since: Timestamp,
}

#[derive(Debug)]
struct Told {
    row: InstanceRow,
    at: Timestamp,
}

impl Fleet {
    fn lease(
        &mut self,
        name: &str,
        owner: RunId,
        term: Duration,
        now: Timestamp,
    ) -> Option<NamedLease> {
        if self.leases.get(name).is_some_and(|held| now.since(held.since) < held.term) {
            return None;
        }
        let token = fastrand::u64(0..=i64::MAX as u64);
        self.leases.insert(name.to_owned(), Held { token, term, since: now });
        Some(NamedLease::new(name.to_owned(), token, owner, term))
    }

    fn renew(&mut self, lease: &NamedLease, now: Timestamp) -> bool {
        let held = self.leases.get_mut(&lease.name).filter(|held| held.token == lease.token);
        held.map(|held| (held.term, held.since) = (lease.term, now)).is_some()
    }

    fn release(&mut self, lease: &NamedLease) -> bool {
        let held = self.leases.get(&lease.name).is_some_and(|held| held.token == lease.token);
        held && self.leases.remove(&lease.name).is_some()
    }

    fn instances(&self, age: Duration, now: Timestamp) -> Vec<InstanceRow> {
        let rows = self.instances.values().map(|told| {
            let mut row = told.row.clone();
            row.age = now.since(told.at);
            row
        });
        rows.filter(|row| row.age <= age).collect()
    }

    fn forget(&mut self, age: Duration, at_most: usize, now: Timestamp) -> u64 {
        let old = self.instances.iter().filter(|(_, told)| now.since(told.at) >= age);
        let old: Vec<RunId> = old.map(|(run, _)| *run).take(at_most).collect();
        for run in &old {
            self.instances.remove(run);
        }
        old.len() as u64
    }
}

#[async_trait]
impl FleetStore for MemoryStore {
    async fn lease(
        &self,
        name: &str,
        owner: RunId,
        term: Duration,
    ) -> Result<Option<NamedLease>, StoreError> {
        NamedLease::check_name(name)?;
        Ok(self.shared.fleet().lease(name, owner, term, self.shared.now()))
    }

    async fn renew(&self, lease: &NamedLease) -> Result<bool, StoreError> {
        Ok(self.shared.fleet().renew(lease, self.shared.now()))
    }

    async fn release(&self, lease: &NamedLease) -> Result<bool, StoreError> {
        Ok(self.shared.fleet().release(lease))
    }

    async fn publish(&self, row: &InstanceRow) -> Result<(), StoreError> {
        row.check()?;
        let mut fleet = self.shared.fleet();
        fleet.instances.insert(row.run, Told { row: row.clone(), at: self.shared.now() });
        Ok(())
    }

    async fn instances(&self, age: Duration) -> Result<Vec<InstanceRow>, StoreError> {
        Ok(self.shared.fleet().instances(age, self.shared.now()))
    }

    async fn retire(&self, run: RunId) -> Result<(), StoreError> {
        self.shared.fleet().instances.remove(&run);
        Ok(())
    }

    async fn forget_instances(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        Ok(self.shared.fleet().forget(age, at_most as usize, self.shared.now()))
    }
}
