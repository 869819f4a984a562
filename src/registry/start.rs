//! Starts a registry.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{
    Recovered, Registry, RegistryBuilder, RegistryError,
    circuits::{Config, LiveCircuits},
    live::{Shared, Tasks},
    recovered::Source,
};
use crate::{
    breaker::ClockSource,
    fleet::{
        Complaints, Coordinator, Counters, Dirty, Gates, Health, Leases, Member, MemberOptions,
        Mirror, Record, Shared as Coordinated, Votes, stop,
    },
    journal::Journal,
    store::{EventId, HistoryStore, MemoryStore, RunId, StateStore, Timestamp},
};

impl RegistryBuilder {
    /// Loads what the store has and starts the tasks. It waits for the store no longer than the load
    /// timeout, and is no error where it does not answer: circuits then work on their own and follow
    /// it later.
    ///
    /// # Errors
    ///
    /// If an option is out of its bounds, or there is no tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future starts nothing.
    pub async fn start(self) -> Result<Registry, RegistryError> {
        self.check()?;
        let runtime =
            tokio::runtime::Handle::try_current().map_err(|_| RegistryError::NoRuntime)?;
        let run = RunId::random();
        let clock = match &self.clock {
            Some(clock) => ClockSource::Custom(Arc::clone(clock)),
            None => ClockSource::fast(),
        };
        let (store, source, history) = match (self.store, self.history) {
            (Some((store, source)), history) => (store, source, history),
            (None, history) => {
                let memory = Arc::new(MemoryStore::new());
                let kept: Arc<dyn HistoryStore> = memory.clone();
                let store: Arc<dyn StateStore> = memory;
                (store, Source::Named("memory"), Some(history.unwrap_or(kept)))
            }
        };
        let (journal, writer) = match &history {
            Some(history) => {
                let (journal, writer) = Journal::new(self.journal, Arc::clone(history), run)
                    .map_err(RegistryError::Journal)?;
                (Some(journal), Some(writer))
            }
            None => (None, None),
        };

        let gates = Arc::new(Gates::new(self.scopes));
        let votes = Arc::new(Votes::default());

        let (stopper, stop) = stop();
        let ids = event_ids(journal.clone(), run);
        let mirror = Arc::new(Mirror::default());
        let dirty = Arc::new(Dirty::default());
        let health = Arc::new(Health::new(clock.clone()));
        let counters = Arc::new(Counters::default());
        let config = Config {
            defaults: self.defaults,
            settings_for: self.settings_for,
            clock: self.clock,
            observers: self.observers,
            seed: self.seed,
            max_services: self.max_services,
        };
        let circuits = LiveCircuits::new(
            config,
            Arc::clone(&mirror),
            Arc::clone(&dirty),
            Arc::clone(&gates),
            journal.clone(),
            clock.clone(),
        )?;
        let circuits = Arc::new(circuits);
        let record = journal.clone().map(|journal| -> Record {
            Arc::new(move |service, transition| journal.note_transition(service, transition))
        });
        let member = self.fleet.map(|store| Member {
            run,
            name: self.instance_name.unwrap_or_else(|| format!("pid {}", std::process::id())),
            started_at: Timestamp::from(clock.wall()),
            store,
            circuits: circuits.clone(),
            mirror: Arc::clone(&mirror),
            gates: Arc::clone(&gates),
            votes: Arc::clone(&votes),
            dirty: Arc::clone(&dirty),
            options: MemberOptions {
                heartbeat: self.heartbeat,
                share_windows: self.share_windows,
                timeout: self.options.timeout,
            },
            stop: stop.clone(),
        });
        let mut coordinator = Coordinator::new(Coordinated {
            run,
            gates,
            votes,
            leases: Leases::default(),
            record,
            store: Arc::clone(&store),
            circuits: circuits.clone(),
            mirror: Arc::clone(&mirror),
            dirty: Arc::clone(&dirty),
            health: Arc::clone(&health),
            counters: Arc::clone(&counters),
            complaints: Complaints::default(),
            clock: clock.clone(),
            ids,
            options: self.options,
            stop: stop.clone(),
        });

        let loaded = tokio::time::timeout(self.load_timeout, coordinator.load()).await;
        let now = clock.now();
        let recovered = mirror.select(usize::MAX, |known| Recovered::new(known, now));
        source.log(&recovered);
        match loaded {
            Ok(Ok(())) => {
                let source = source.counted(&recovered);
                tracing::info!(circuits = recovered.len(), source, "circuit breaker: loaded");
            }
            Ok(Err(_)) | Err(_) => tracing::warn!(
                source = source.name(),
                "circuit breaker: the store did not answer in time; circuits begin on their own"
            ),
        }

        let tasks = Tasks {
            journal: writer.map(|writer| runtime.spawn(writer.run(stop.left()))),
            coordinator: runtime.spawn(coordinator.run()),
            member: member.map(|member| runtime.spawn(member.run())),
        };
        let shared = Shared {
            run,
            store,
            history,
            circuits,
            mirror,
            dirty,
            health,
            counters,
            clock,
            journal,
            recovered,
        };
        Ok(Registry::new(shared, stopper, tasks))
    }
}

/// Where the ids of events come from: one sequence for all that one run records.
fn event_ids(journal: Option<Journal>, run: RunId) -> Arc<dyn Fn() -> EventId + Send + Sync> {
    match journal {
        Some(journal) => Arc::new(move || journal.next_id()),
        None => {
            let next = AtomicU64::new(0);
            Arc::new(move || EventId { run, sequence: next.fetch_add(1, Ordering::Relaxed) })
        }
    }
}
