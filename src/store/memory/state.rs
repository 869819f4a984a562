//! Circuits in memory.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::broadcast::error::RecvError;

use super::store::MemoryStore;
use crate::{
    name::ServiceName,
    store::{
        ChangeHint, CircuitRecord, Committed, Cursor, EventRecord, Expected, Lane, Loaded,
        StateStore, StoreError, Stored, Timestamp, Tombstone,
    },
};

/// All circuits, and in which order they changed.
#[derive(Debug, Default)]
pub(super) struct Circuits {
    by_service: HashMap<ServiceName, Entry>,
    /// The last change of each.
    by_change: BTreeMap<u64, ServiceName>,
    changes: u64,
}

#[derive(Debug)]
struct Entry {
    stored: Stored,
    change: u64,
}

impl Circuits {
    pub(super) fn len(&self) -> usize {
        self.by_service.len()
    }

    fn get(&self, service: &ServiceName, now: Timestamp) -> Option<Stored> {
        self.by_service.get(service).map(|entry| aged(&entry.stored, now))
    }

    fn since(&self, cursor: Cursor, now: Timestamp) -> Loaded {
        let changed = self.by_change.range(cursor.0.saturating_add(1)..);
        let stored = changed.filter_map(|(_, service)| self.get(service, now)).collect();
        Loaded::new(stored, Cursor(self.changes))
    }

    fn put(&mut self, stored: Stored) {
        self.changes += 1;
        let service = stored.service().clone();
        self.by_change.insert(self.changes, service.clone());
        let entry = Entry { stored, change: self.changes };
        if let Some(replaced) = self.by_service.insert(service, entry) {
            self.by_change.remove(&replaced.change);
        }
    }

    /// What there is, if it is what a writer expects.
    fn expect(
        &self,
        service: &ServiceName,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Option<&Stored>, StoreError> {
        let found = self.by_service.get(service).map(|entry| &entry.stored);
        if Expected::found(expected.lane, found) == expected {
            Ok(found)
        } else {
            Err(StoreError::conflict(found.map(|found| aged(found, now))))
        }
    }

    fn swap(
        &mut self,
        expected: Expected,
        next: &CircuitRecord,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        let mut record = match self.expect(&next.service, expected, now)? {
            Some(Stored::Record(record)) => record.clone(),
            Some(Stored::Tombstone(tombstone)) => begun(next, Some(tombstone), now),
            None => begun(next, None, now),
        };
        record.take_lane(expected.lane, next);
        if expected.lane == Lane::State {
            record.state.changed_at = now.before(next.age);
        }
        self.put(Stored::Record(record));
        Ok(Committed::new(next.version(expected.lane), now))
    }

    fn remove(
        &mut self,
        service: &ServiceName,
        expected: Expected,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match self.expect(service, expected, now)? {
            Some(Stored::Record(record)) => {
                let tombstone = Tombstone::of(record, now);
                self.put(Stored::Tombstone(tombstone));
                Ok(())
            }
            other => Err(StoreError::conflict(other.map(|found| aged(found, now)))),
        }
    }

    fn forget_tombstones(&mut self, age: Duration, at_most: u32, now: Timestamp) -> u64 {
        let old = |(_, service): (&u64, &ServiceName)| match self.get(service, now) {
            Some(Stored::Tombstone(tombstone)) if tombstone.age >= age => Some(tombstone.service),
            _ => None,
        };
        let forgotten: Vec<ServiceName> =
            self.by_change.iter().filter_map(old).take(at_most as usize).collect();
        for service in &forgotten {
            if let Some(entry) = self.by_service.remove(service) {
                self.by_change.remove(&entry.change);
            }
        }
        forgotten.len() as u64
    }
}

/// An empty record, from `now` on, with the versions that a removed one had.
fn begun(next: &CircuitRecord, removed: Option<&Tombstone>, now: Timestamp) -> CircuitRecord {
    let mut record = CircuitRecord::new(next.service.clone());
    record.state.changed_at = now;
    if let Some(tombstone) = removed {
        record.state.version = tombstone.versions.state;
        record.override_.version = tombstone.versions.override_;
        record.settings.version = tombstone.versions.settings;
    }
    record
}

fn aged(stored: &Stored, now: Timestamp) -> Stored {
    let mut stored = stored.clone();
    match &mut stored {
        Stored::Record(record) => record.age = now.since(record.state.changed_at),
        Stored::Tombstone(tombstone) => tombstone.age = now.since(tombstone.removed_at),
    }
    stored
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn load(&self, service: &ServiceName) -> Result<Option<Stored>, StoreError> {
        let circuits = self.shared.circuits();
        Ok(circuits.get(service, self.shared.now()))
    }

    async fn load_all(&self, since: Option<Cursor>) -> Result<Loaded, StoreError> {
        let circuits = self.shared.circuits();
        Ok(circuits.since(since.unwrap_or_default(), self.shared.now()))
    }

    async fn compare_and_swap(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Committed, StoreError> {
        next.check_write(expected)?;
        if let Some(event) = event {
            event.check()?;
        }
        let committed = {
            let mut circuits = self.shared.circuits();
            let committed = circuits.swap(expected, next, self.shared.now())?;
            if let Some(event) = event {
                self.shared.history().append(std::slice::from_ref(event));
            }
            committed
        };
        self.hint(&next.service);
        Ok(committed)
    }

    async fn remove(&self, service: &ServiceName, expected: Expected) -> Result<(), StoreError> {
        self.shared.circuits().remove(service, expected, self.shared.now())?;
        self.hint(service);
        Ok(())
    }

    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        Ok(self.shared.circuits().forget_tombstones(age, at_most, self.shared.now()))
    }

    fn watch(&self) -> BoxStream<'static, ChangeHint> {
        let hints = self.shared.hints.subscribe();
        // The stream does not end, so it keeps the sender.
        let shared = Arc::clone(&self.shared);
        let changes = stream::unfold((hints, shared), async |(mut hints, shared)| {
            let hint = match hints.recv().await {
                Ok(hint) => hint,
                Err(RecvError::Lagged(_) | RecvError::Closed) => ChangeHint::Resync,
            };
            Some((hint, (hints, shared)))
        });
        stream::iter([ChangeHint::Resync]).chain(changes).boxed()
    }
}

impl MemoryStore {
    fn hint(&self, service: &ServiceName) {
        // An error says that nobody watches.
        let _ = self.shared.hints.send(ChangeHint::Changed(service.clone()));
    }
}
