//! Builds and starts a registry.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    Recovered, Registry, RegistryError,
    circuits::{Config, LiveCircuits, SettingsFor},
    live::{Shared, Tasks},
    recovered::Source,
};
use crate::{
    breaker::{Clock, ClockSource, Observer},
    circuit::Settings,
    fleet::{
        Complaints, Coordinator, CoordinatorOptions, Counters, Dirty, Health, Mirror,
        Shared as Coordinated, stop,
    },
    journal::{Journal, JournalOptions},
    store::{EventId, HistoryStore, MemoryStore, RunId, StateStore, TieredStore},
};

/// Builds and starts a [`Registry`].
#[must_use = "a builder does nothing until it is started"]
pub struct RegistryBuilder {
    store: Option<(Arc<dyn StateStore>, Source)>,
    history: Option<Arc<dyn HistoryStore>>,
    journal: JournalOptions,
    defaults: Arc<Settings>,
    settings_for: Option<SettingsFor>,
    clock: Option<Arc<dyn Clock>>,
    observers: Vec<Arc<dyn Observer>>,
    seed: Option<u64>,
    max_services: usize,
    load_timeout: Duration,
    options: CoordinatorOptions,
}

impl Default for RegistryBuilder {
    fn default() -> Self {
        let poll_interval = Duration::from_secs(5);
        Self {
            store: None,
            history: None,
            journal: JournalOptions::default(),
            defaults: Arc::default(),
            settings_for: None,
            clock: None,
            observers: Vec::new(),
            seed: None,
            max_services: 10_000,
            load_timeout: Duration::from_secs(2),
            options: CoordinatorOptions {
                timeout: Duration::from_secs(5),
                poll_interval,
                keyed_idle: Duration::from_secs(600),
                tombstones: poll_interval * 10,
            },
        }
    }
}

impl RegistryBuilder {
    /// The store of the circuits, which keeps no history. Default: in memory, with a history.
    pub fn store(mut self, store: Arc<dyn StateStore>) -> Self {
        self.store = Some((store, Source::Named("store")));
        self
    }

    /// A cache in front of a durable store, for the circuits; their history belongs to the durable
    /// one. What is logged of each circuit at the start says which of the two had it.
    pub fn tiered(mut self, store: &TieredStore) -> Self {
        self.store = Some((Arc::new(store.clone()), Source::Tiers(store.clone())));
        self
    }

    /// Where the history is kept. Default: nowhere, if a store was given.
    pub fn history(mut self, history: Arc<dyn HistoryStore>) -> Self {
        self.history = Some(history);
        self
    }

    /// One store for the circuits and their history.
    pub fn stores<S: StateStore + HistoryStore>(self, store: Arc<S>) -> Self {
        self.store(Arc::<S>::clone(&store)).history(store)
    }

    /// How the history is written.
    pub fn journal(mut self, options: JournalOptions) -> Self {
        self.journal = options;
        self
    }

    /// The settings of every circuit that has none of its own. Defaults: [`Settings::default`].
    pub fn defaults(mut self, settings: impl Into<Arc<Settings>>) -> Self {
        self.defaults = settings.into();
        self
    }

    /// The settings of particular circuits: asked when a named circuit is made, and when its live
    /// settings change; `None` means the defaults. It must not use the registry.
    pub fn settings_for<F>(mut self, settings_for: F) -> Self
    where
        F: Fn(&str) -> Option<Arc<Settings>> + Send + Sync + 'static,
    {
        self.settings_for = Some(Box::new(settings_for));
        self
    }

    /// The clock of all circuits. Default: the fastest reliable clock of the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Adds an observer, which is told of the events of all circuits.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// The seed of the jitter. Default: random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many named circuits there may be, 1 to 1,000,000. Default 10,000. Keyed ones have a map
    /// of their own, with a bound of its own.
    pub fn max_services(mut self, services: usize) -> Self {
        self.max_services = services;
        self
    }

    /// How long [`start`](Self::start) waits for the store, up to 1 min. Default 2 s. After that
    /// circuits begin on their own, and follow the store when it answers.
    pub fn load_timeout(mut self, timeout: Duration) -> Self {
        self.load_timeout = timeout;
        self
    }

    /// How long one operation of the store may take, 10 ms to 1 min. Default 5 s.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// How often the store is asked for changes that no hint told of, 10 ms to 1 h. Default 5 s. What
    /// was removed is remembered for ten times as long.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.options.poll_interval = interval;
        self.options.tombstones = interval.saturating_mul(10);
        self
    }

    /// After how long a keyed circuit that is closed and unchanged is removed from the store, at
    /// least 1 s. Default 10 min.
    pub fn keyed_idle_timeout(mut self, timeout: Duration) -> Self {
        self.options.keyed_idle = timeout;
        self
    }

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
            journal.clone(),
            clock.clone(),
        )?;
        let circuits = Arc::new(circuits);
        let mut coordinator = Coordinator::new(Coordinated {
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

    fn check(&self) -> Result<(), RegistryError> {
        let millis = Duration::from_millis;
        let minute = Duration::from_secs(60);
        if !(1..=1_000_000).contains(&self.max_services) {
            return Err(RegistryError::Option {
                option: "max_services",
                problem: format!("{} but must be from 1 to 1000000", self.max_services),
            });
        }
        for (option, value, least, most) in [
            ("load_timeout", self.load_timeout, Duration::ZERO, minute),
            ("store_timeout", self.options.timeout, millis(10), minute),
            ("poll_interval", self.options.poll_interval, millis(10), 60 * minute),
            ("keyed_idle_timeout", self.options.keyed_idle, millis(1000), Duration::MAX),
        ] {
            if value < least || value > most {
                let most = match most {
                    Duration::MAX => String::new(),
                    most => format!(" and at most {}", humantime::format_duration(most)),
                };
                return Err(RegistryError::Option {
                    option,
                    problem: format!(
                        "{} but must be at least {}{most}",
                        humantime::format_duration(value),
                        humantime::format_duration(least),
                    ),
                });
            }
        }
        Ok(())
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

impl fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryBuilder")
            .field("store", &self.store)
            .field("history", &self.history)
            .field("defaults", &self.defaults)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
