//! What a registry is told before it starts.

use std::{fmt, sync::Arc, time::Duration};

use super::{circuits::SettingsFor, recovered::Source};
use crate::{
    breaker::{Clock, Observer},
    circuit::Settings,
    fleet::{CoordinatorOptions, Scopes},
    journal::JournalOptions,
    store::{FleetStore, HistoryStore, StateStore, TieredStore},
};

/// Builds and starts a [`Registry`](super::Registry).
#[must_use = "a builder does nothing until it is started"]
pub struct RegistryBuilder {
    pub(super) store: Option<(Arc<dyn StateStore>, Source)>,
    pub(super) history: Option<Arc<dyn HistoryStore>>,
    pub(super) fleet: Option<Arc<dyn FleetStore>>,
    pub(super) scopes: Scopes,
    pub(super) instance_name: Option<String>,
    pub(super) heartbeat: Duration,
    pub(super) share_windows: bool,
    pub(super) journal: JournalOptions,
    pub(super) defaults: Arc<Settings>,
    pub(super) settings_for: Option<SettingsFor>,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) observers: Vec<Arc<dyn Observer>>,
    pub(super) seed: Option<u64>,
    pub(super) max_services: usize,
    pub(super) load_timeout: Duration,
    pub(super) options: CoordinatorOptions,
}

impl Default for RegistryBuilder {
    fn default() -> Self {
        let poll_interval = Duration::from_secs(5);
        Self {
            store: None,
            history: None,
            fleet: None,
            scopes: Scopes::default(),
            instance_name: None,
            heartbeat: Duration::from_secs(5),
            share_windows: false,
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
                lease_term: Duration::from_secs(10),
                probe: None,
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

    /// Where the processes tell each other of themselves: votes and windows. Needed for a
    /// [quorum](crate::registry::Scope::Fleet) above one and for [`share_windows`](Self::share_windows), and for
    /// nothing else. Default: nowhere.
    pub fn fleet_store(mut self, fleet: Arc<dyn FleetStore>) -> Self {
        self.fleet = Some(fleet);
        self
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
