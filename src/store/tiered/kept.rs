//! What a process wrote without the durable store, kept until that has it.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::rule::{Kept, Tier};
use crate::{
    circuit::Version,
    name::ServiceName,
    store::{CircuitRecord, EventRecord, Lane},
};

/// How many writes of one lane are kept with their events.
const WRITES: usize = 32;

/// What is owed to the tiers.
#[derive(Debug, Default)]
pub(super) struct Owed(Mutex<Debts>);

#[derive(Debug, Default)]
struct Debts {
    /// What the durable store has not got.
    durable: HashMap<(ServiceName, Lane), VecDeque<Owing>>,
    /// Circuits, and removals, that a tier has not got and the other one has.
    circuits: [HashSet<ServiceName>; 2],
}

/// One write.
#[derive(Clone, Debug)]
pub(super) struct Owing {
    pub(super) kept: Kept,
    record: CircuitRecord,
    written: Instant,
    pub(super) event: Option<EventRecord>,
}

impl Owing {
    pub(super) fn new(kept: Kept, record: CircuitRecord, event: Option<EventRecord>) -> Self {
        Self { kept, record, written: now(), event }
    }

    /// What was written, as old as it is now.
    pub(super) fn record(&self) -> CircuitRecord {
        let since = now().duration_since(self.written);
        let mut record = self.record.clone();
        record.age = record.age.saturating_add(since);
        record
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how old a write has become that waits for its store"
)]
fn now() -> Instant {
    Instant::now()
}

impl Owed {
    /// A tier has not got what the other one took. Returns whether an event was let go.
    pub(super) fn add(&self, tier: Tier, service: &ServiceName, write: Option<Owing>) -> bool {
        let debts = &mut *self.debts();
        debts.circuits[tier as usize].insert(service.clone());
        let Some(owing) = write.filter(|_| tier == Tier::Durable) else { return false };
        let chain = debts.durable.entry((service.clone(), owing.kept.lane)).or_default();
        chain.push_back(owing);
        let dropped = if chain.len() > WRITES { chain.pop_front() } else { None };
        dropped.is_some_and(|owing| owing.event.is_some())
    }

    /// What the durable store is owed of a circuit, in its order.
    pub(super) fn kept(&self, service: &ServiceName) -> Vec<(Kept, CircuitRecord)> {
        let debts = self.debts();
        let of_lane = |lane: Lane| debts.durable.get(&(service.clone(), lane));
        let all = Lane::ALL.into_iter().filter_map(of_lane).flatten();
        all.map(|owing| (owing.kept, owing.record())).collect()
    }

    /// The last write of each lane that the durable store is owed.
    pub(super) fn last(&self, service: &ServiceName) -> Vec<Kept> {
        let debts = self.debts();
        let of_lane = |lane: Lane| debts.durable.get(&(service.clone(), lane))?.back();
        Lane::ALL.into_iter().filter_map(of_lane).map(|owing| owing.kept).collect()
    }

    /// The writes of a lane from above one version up to another, and the event of the last.
    pub(super) fn between(
        &self,
        service: &ServiceName,
        lane: Lane,
        from: Version,
        to: Version,
    ) -> Vec<Owing> {
        let debts = self.debts();
        let chain = debts.durable.get(&(service.clone(), lane));
        let writes = chain.into_iter().flatten();
        let wanted =
            |owing: &&Owing| owing.kept.seen.version > from && owing.kept.seen.version <= to;
        writes.filter(wanted).cloned().collect()
    }

    /// A tier has a lane at a version. Returns how many events it was not given.
    pub(super) fn paid(&self, service: &ServiceName, lane: Lane, given: &[Version]) -> u64 {
        let chain = self.debts().durable.remove(&(service.clone(), lane));
        let writes = chain.into_iter().flatten();
        let lost = writes
            .filter(|owing| owing.event.is_some() && !given.contains(&owing.kept.seen.version));
        lost.count() as u64
    }

    /// The tiers agree on a circuit.
    pub(super) fn settled(&self, service: &ServiceName) {
        for circuits in &mut self.debts().circuits {
            circuits.remove(service);
        }
    }

    pub(super) fn count(&self, tier: Tier) -> usize {
        self.debts().circuits[tier as usize].len()
    }

    pub(super) fn services(&self) -> HashSet<ServiceName> {
        let debts = self.debts();
        debts.circuits.iter().flatten().cloned().collect()
    }

    fn debts(&self) -> MutexGuard<'_, Debts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
