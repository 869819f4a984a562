//! What the coordinator's parts use.

use std::{future::Future, sync::Arc, time::Duration};

use super::{
    circuits::{Circuits, Found},
    complaints::Complaints,
    counters::Counters,
    dirty::Dirty,
    gates::Gates,
    health::Health,
    held::Leases,
    mirror::Mirror,
    probing::Probe,
    stop::Stop,
    votes::Votes,
};
use crate::{
    breaker::{ClockSource, ServiceName},
    circuit::{State, Transition},
    store::{EventId, RunId, StateStore, StoreError, Timestamp},
};

/// How a coordinator works.
#[derive(Clone)]
pub(crate) struct CoordinatorOptions {
    /// How long one operation of the store may take.
    pub(crate) timeout: Duration,
    /// How often the store is asked for changes that no hint told of.
    pub(crate) poll_interval: Duration,
    /// After how long a keyed circuit that is closed and idle is removed from the store.
    pub(crate) keyed_idle: Duration,
    /// How long a removed circuit's versions are remembered.
    pub(crate) tombstones: Duration,
    /// How long a lease on a half-open round is good for.
    pub(crate) lease_term: Duration,
    /// Decides recovery in place of the user's calls.
    pub(crate) probe: Option<Probe>,
}

impl std::fmt::Debug for CoordinatorOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CoordinatorOptions")
            .field("timeout", &self.timeout)
            .field("poll_interval", &self.poll_interval)
            .field("lease_term", &self.lease_term)
            .finish_non_exhaustive()
    }
}

/// What a coordinator could not commit before it had to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uncommitted {
    pub(crate) circuits: usize,
}

/// Records a state change of a circuit that is not shared.
pub(crate) type Record = Arc<dyn Fn(&ServiceName, &Transition) + Send + Sync>;

/// What the coordinator's parts use.
pub(crate) struct Shared {
    pub(crate) run: RunId,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) circuits: Arc<dyn Circuits>,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) dirty: Arc<Dirty>,
    pub(crate) health: Arc<Health>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) gates: Arc<Gates>,
    pub(crate) votes: Arc<Votes>,
    pub(crate) leases: Leases,
    pub(crate) complaints: Complaints,
    pub(crate) clock: ClockSource,
    pub(crate) ids: Arc<dyn Fn() -> EventId + Send + Sync>,
    pub(crate) record: Option<Record>,
    pub(crate) options: CoordinatorOptions,
    pub(crate) stop: Stop,
}

impl Shared {
    pub(super) fn wall(&self) -> Timestamp {
        Timestamp::from(self.clock.wall())
    }

    pub(super) async fn in_time<T>(
        &self,
        operation: &'static str,
        future: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        tokio::select! {
            answer = tokio::time::timeout(self.options.timeout, future) => match answer {
                Ok(result) => result,
                Err(_) => Err(StoreError::timed_out(operation, self.options.timeout)),
            },
            () = self.stop.over() => {
                Err(StoreError::unavailable(operation, "the registry was shut down meanwhile"))
            }
        }
    }

    pub(super) fn complain(&self, error: &StoreError) {
        if self.complaints.corrupt(error) {
            self.counters.corrupt();
        }
    }

    // ===== gates =====

    /// Says whether the store answers, so that circuits ask for leave to probe, or probe alone.
    pub(super) fn coordinate(&self, coordinated: bool) {
        if !self.gates.set_coordinated(coordinated) {
            return;
        }
        for service in self.circuits.names() {
            if let Some(found) = self.circuits.find(&service) {
                self.regate(&found);
            }
        }
    }

    /// Puts in force who lets probes through as things stand.
    pub(super) fn regate(&self, found: &Found) {
        let breaker = &found.breaker;
        let known = self.mirror.get(breaker.service());
        self.gates.apply(breaker, known.as_ref());
        let alone = self.gates.is_alone(breaker.service());
        if alone && breaker.state() == State::HalfOpen && !breaker.is_probing() {
            // Nobody tells it how the other process's round ends.
            if let Some(known) = known {
                breaker.restore(known.adoption(self.clock.now()));
            }
        }
    }
}
