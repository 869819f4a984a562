//! The registry itself.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::task::JoinHandle;

use super::{Recovered, RegistryBuilder, RegistryError, circuits::LiveCircuits};
use crate::{
    breaker::{
        Breaker, BreakerMap, BreakerMapBuilder, Breakers, CallError, ClockSource, ServiceName,
        Snapshot,
    },
    fleet::{
        Circuits, CoordinatorStats, Counters, Dirty, Health, Mirror, Stopper, StoreHealth,
        Uncommitted,
    },
    journal::{Journal, JournalStats, Unwritten},
    service::CircuitBreakerLayer,
    store::{
        EventQuery, EventRecord, HistoryStore, MetricBucket, MetricQuery, Page, RunId, StateStore,
        StoreError,
    },
};

/// How often a flush looks whether all is committed.
const LOOK: Duration = Duration::from_millis(1);

/// All circuits of a process: see the [module docs](super). Cheap to clone; all clones are one
/// registry.
///
/// When the last clone is dropped its tasks commit what is left, for a second at most, and end. Use
/// [`shutdown`](Self::shutdown) to wait for them.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    shared: Shared,
    stop: Stopper,
    tasks: Mutex<Option<Tasks>>,
}

/// What a registry and its parts use.
pub(super) struct Shared {
    pub(super) run: RunId,
    pub(super) store: Arc<dyn StateStore>,
    pub(super) history: Option<Arc<dyn HistoryStore>>,
    pub(super) circuits: Arc<LiveCircuits>,
    pub(super) mirror: Arc<Mirror>,
    pub(super) dirty: Arc<Dirty>,
    pub(super) health: Arc<Health>,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: ClockSource,
    pub(super) journal: Option<Journal>,
    pub(super) recovered: Vec<Recovered>,
}

/// The tasks of a registry.
pub(super) struct Tasks {
    pub(super) coordinator: JoinHandle<Uncommitted>,
    pub(super) member: Option<JoinHandle<()>>,
    pub(super) journal: Option<JoinHandle<Unwritten>>,
}

/// What a registry did since it started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistryStats {
    /// Whether the store answers.
    pub store: StoreHealth,
    /// What was committed, and what was not.
    pub coordinator: CoordinatorStats,
    /// What was recorded; none where no history is kept.
    pub journal: Option<JournalStats>,
    /// Circuits that have something to be committed.
    pub uncommitted: usize,
}

/// What was left when a registry ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Circuits whose last changes were not committed.
    pub uncommitted: usize,
    /// What the history does not have.
    pub unwritten: Unwritten,
}

impl ShutdownReport {
    /// Whether the store and the history have everything.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Registry {
    /// Builds a registry.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    pub(super) fn new(shared: Shared, stop: Stopper, tasks: Tasks) -> Self {
        Self(Arc::new(Inner { shared, stop, tasks: Mutex::new(Some(tasks)) }))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    // ===== circuits =====

    /// The circuit of that name, which is made if there is none, and begins where the store says it
    /// was. Does not wait.
    ///
    /// # Errors
    ///
    /// If the name is not valid, or there are as many named circuits as there may be.
    pub fn breaker(&self, service: impl AsRef<str>) -> Result<Breaker, RegistryError> {
        self.shared().circuits.named(service.as_ref())
    }

    /// A layer around the circuit of that name.
    ///
    /// # Errors
    ///
    /// As [`breaker`](Self::breaker).
    pub fn layer(&self, service: impl AsRef<str>) -> Result<CircuitBreakerLayer, RegistryError> {
        self.breaker(service).map(CircuitBreakerLayer::new)
    }

    /// A map of circuits whose keys come from outside: hosts, routes, tenants. A key is the name of
    /// its circuit in the store. A circuit is stored once it leaves closed, and removed when it has
    /// been closed and idle for a while.
    ///
    /// # Errors
    ///
    /// If the builder's values are out of their bounds.
    pub fn map(&self, builder: BreakerMapBuilder) -> Result<BreakerMap, RegistryError> {
        self.shared().circuits.map(builder)
    }

    /// Calls `f` if the circuit of that name admits it; an error is a failure. A name that is not
    /// valid, or that there is no place for, shares one circuit with all others like it.
    ///
    /// # Errors
    ///
    /// [`CallError::Rejected`] if the circuit did not admit the call, [`CallError::Inner`] with the
    /// error of `f`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the call up: see [`Permit`](crate::Permit).
    pub async fn call<F, T, E>(&self, service: impl AsRef<str>, f: F) -> Result<T, CallError<E>>
    where
        F: AsyncFnOnce() -> Result<T, E>,
    {
        Breakers::breaker(self, service.as_ref()).call(f).await
    }

    /// The snapshots of all circuits that were made in this process, in no order.
    #[must_use]
    pub fn snapshots(&self) -> Vec<Snapshot> {
        let circuits = &self.shared().circuits;
        let found = circuits.names().into_iter().filter_map(|service| circuits.find(&service));
        found.map(|found| found.breaker.snapshot()).collect()
    }

    // ===== the store =====

    /// Which run of the process this is: what its events are recorded under.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.shared().run
    }

    /// What was found in the store when the registry started. Empty if it did not answer then.
    #[must_use]
    pub fn recovered(&self) -> &[Recovered] {
        &self.shared().recovered
    }

    /// What the store has of a circuit now, as far as this process knows. Does not wait.
    #[must_use]
    pub fn stored(&self, service: &str) -> Option<Recovered> {
        let service = ServiceName::new(service).ok()?;
        let known = self.shared().mirror.get(&service)?;
        Recovered::new(&known, self.shared().clock.now())
    }

    /// Whether the store answers, and what was done with it.
    #[must_use]
    pub fn stats(&self) -> RegistryStats {
        let shared = self.shared();
        RegistryStats {
            store: shared.health.read(),
            coordinator: shared.counters.read(),
            journal: shared.journal.as_ref().map(Journal::stats),
            uncommitted: shared.dirty.uncommitted(),
        }
    }

    /// The store of the circuits.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn StateStore> {
        &self.shared().store
    }

    /// Where the history is kept.
    #[must_use]
    pub fn history(&self) -> Option<&Arc<dyn HistoryStore>> {
        self.shared().history.as_ref()
    }

    /// Finds events in the history. Those of the last flush interval may not be there yet: see
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// Those of the store. Without a history nothing is found.
    pub async fn events(&self, query: &EventQuery) -> Result<Page<EventRecord>, StoreError> {
        match self.history() {
            Some(history) => history.events(query).await,
            None => Ok(Page { items: Vec::new(), next: None }),
        }
    }

    /// Finds metric buckets in the history.
    ///
    /// # Errors
    ///
    /// Those of the store. Without a history nothing is found.
    pub async fn metrics(&self, query: &MetricQuery) -> Result<Page<MetricBucket>, StoreError> {
        match self.history() {
            Some(history) => history.metrics(query).await,
            None => Ok(Page { items: Vec::new(), next: None }),
        }
    }

    // ===== the end =====

    /// Waits until the store and the history have what came before this call, for `within` at most,
    /// and returns what they do not have.
    ///
    /// Cancel safe: what was begun goes on.
    pub async fn flush(&self, within: Duration) -> ShutdownReport {
        let shared = self.shared();
        let committed = async {
            while shared.dirty.is_busy() {
                tokio::time::sleep(LOOK).await;
            }
        };
        let written = async {
            match &shared.journal {
                Some(journal) => journal.flush(within).await,
                None => Unwritten::default(),
            }
        };
        let (_, unwritten) = tokio::join!(tokio::time::timeout(within, committed), written);
        ShutdownReport { uncommitted: shared.dirty.uncommitted(), unwritten }
    }

    /// Commits and writes all that is waiting, ends the tasks, and says what was left at the
    /// deadline. Circuits go on working on their own. Only the first call does anything.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(tasks) = tasks else { return ShutdownReport::default() };
        self.0.stop.stop(deadline);
        if let Some(member) = tasks.member {
            let _ = tokio::time::timeout(deadline, member).await;
        }
        // A task that panicked has logged that itself.
        let uncommitted = tasks.coordinator.await.unwrap_or_default();
        let unwritten = match tasks.journal {
            Some(journal) => journal.await.unwrap_or_default(),
            None => Unwritten::default(),
        };
        ShutdownReport { uncommitted: uncommitted.circuits, unwritten }
    }
}

/// Any text has a circuit: a name that is not valid, or that there is no place for, shares one with
/// all others like it.
impl Breakers for Registry {
    fn breaker(&self, key: &str) -> Breaker {
        let circuits = &self.shared().circuits;
        circuits.named(key).unwrap_or_else(|_| circuits.overflow().clone())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("run", &self.shared().run)
            .field("store", &self.shared().store)
            .field("circuits", &self.shared().circuits)
            .finish_non_exhaustive()
    }
}
