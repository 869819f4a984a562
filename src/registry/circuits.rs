//! The circuits of a registry: named ones, and maps of keyed ones.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ahash::RandomState;
use papaya::HashMap;
use serde_json::Value;

use super::{RegistryError, attached::Attached};
use crate::{
    breaker::{Breaker, BreakerMap, BreakerMapBuilder, Clock, ClockSource, Observer, ServiceName},
    circuit::Settings,
    fleet::{Circuits, Dirty, Found, Gates, Mirror, Orders, Scope},
    journal::Journal,
    store::Extra,
};

/// The circuits of a registry.
pub(super) struct LiveCircuits {
    pub(super) named: HashMap<ServiceName, Breaker, RandomState>,
    /// Held while a named circuit is made, so that each is made once; and the maps.
    maps: Mutex<Vec<BreakerMap>>,
    pub(super) config: Config,
    pub(super) mirror: Arc<Mirror>,
    pub(super) dirty: Arc<Dirty>,
    pub(super) gates: Arc<Gates>,
    pub(super) journal: Option<Journal>,
    clock: ClockSource,
    /// What names without a circuit of their own share.
    overflow: Breaker,
}

/// Finds the settings that a circuit has of its own.
pub(super) type SettingsFor = Box<dyn Fn(&str) -> Option<Arc<Settings>> + Send + Sync>;

/// What a builder was told about circuits.
pub(super) struct Config {
    pub(super) defaults: Arc<Settings>,
    pub(super) settings_for: Option<SettingsFor>,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) observers: Vec<Arc<dyn Observer>>,
    pub(super) seed: Option<u64>,
    pub(super) max_services: usize,
}

impl LiveCircuits {
    pub(super) fn new(
        config: Config,
        mirror: Arc<Mirror>,
        dirty: Arc<Dirty>,
        gates: Arc<Gates>,
        journal: Option<Journal>,
        clock: ClockSource,
    ) -> Result<Self, RegistryError> {
        let overflow = Breaker::builder(BreakerMap::OVERFLOW)
            .settings(Arc::clone(&config.defaults))
            .build()?;
        Ok(Self {
            named: HashMap::with_hasher(RandomState::new()),
            maps: Mutex::default(),
            config,
            mirror,
            dirty,
            gates,
            journal,
            clock,
            overflow,
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<Breaker> {
        self.named.pin().get(name).cloned()
    }

    /// The named circuit, which is made if there is none: it begins where it was.
    pub(super) fn named(&self, name: &str) -> Result<Breaker, RegistryError> {
        if let Some(breaker) = self.get(name) {
            return Ok(breaker);
        }
        let service = ServiceName::new(name)?;
        let making = self.maps();
        if let Some(breaker) = self.get(name) {
            return Ok(breaker);
        }
        let services = self.config.max_services;
        if self.named.len() >= services {
            return Err(RegistryError::TooMany { services });
        }
        let breaker = self.make(&service)?;
        self.named.pin().insert(service.clone(), breaker.clone());
        drop(making);
        // What was read since it was restored went to no circuit.
        let known = self.mirror.get(&service);
        if let Some(known) = &known {
            if self.is_shared(&service) {
                breaker.adopt(known.adoption(self.clock.now()));
            }
            self.obey(&breaker, self.mirror.take_orders(&service));
        }
        self.gates.apply(&breaker, known.as_ref());
        if let Some(journal) = &self.journal {
            journal.watch(&breaker);
        }
        Ok(breaker)
    }

    fn make(&self, service: &ServiceName) -> Result<Breaker, RegistryError> {
        let mut builder = Breaker::builder(service).settings(self.code_settings(service));
        if let Some(clock) = &self.config.clock {
            builder = builder.clock(Arc::clone(clock));
        }
        if let Some(seed) = self.config.seed {
            builder = builder.seed(seed);
        }
        for observer in self.observers() {
            builder = builder.observer(observer);
        }
        let breaker = builder.build()?;
        breaker.keep_changes();
        self.recover(&breaker);
        Ok(breaker)
    }

    /// Adds a map of keyed circuits.
    pub(super) fn map(
        self: &Arc<Self>,
        mut builder: BreakerMapBuilder,
    ) -> Result<BreakerMap, RegistryError> {
        if let Some(clock) = &self.config.clock {
            builder = builder.clock(Arc::clone(clock));
        }
        for observer in self.observers() {
            builder = builder.observer(observer);
        }
        let circuits = Arc::downgrade(self);
        let map = builder
            .on_create(move |breaker| {
                if let Some(circuits) = circuits.upgrade() {
                    circuits.recover(breaker);
                }
            })
            .build()?;
        self.maps().push(map.clone());
        Ok(map)
    }

    pub(super) fn overflow(&self) -> &Breaker {
        &self.overflow
    }

    fn observers(&self) -> impl Iterator<Item = Attached> + '_ {
        let own: Arc<dyn Observer> = self.dirty.clone();
        let journal = self.journal.iter().map(|journal| Arc::new(journal.observer()) as Arc<_>);
        let all = std::iter::once(own).chain(journal).chain(self.config.observers.iter().cloned());
        all.map(Attached)
    }

    /// Puts a circuit that nobody uses yet where the store says it was.
    fn recover(&self, breaker: &Breaker) {
        // Taken before it is read: what comes after that is told.
        self.mirror.take_orders(breaker.service());
        let known = self.mirror.get(breaker.service());
        if let Some(known) = &known {
            if self.is_shared(breaker.service()) {
                breaker.restore(known.adoption(self.clock.now()));
            }
            self.obey(breaker, Orders { override_: true, settings: true });
        }
        self.gates.apply(breaker, known.as_ref());
    }

    /// Whether a circuit's state is that of its fleet.
    fn is_shared(&self, service: &ServiceName) -> bool {
        self.gates.scope(service) != Scope::Instance
    }

    /// Tells a circuit what people set.
    fn obey(&self, breaker: &Breaker, orders: Orders) {
        let Some(known) = self.mirror.get(breaker.service()) else { return };
        let Some(record) = known.record() else { return };
        if orders.override_ {
            breaker.adopt_override(record.override_.value);
        }
        if orders.settings && !record.settings.changes.is_empty() {
            self.configure(breaker, &record.settings.changes);
        }
    }

    // ===== settings =====

    /// The settings that the code has for a circuit.
    pub(super) fn code_settings(&self, service: &ServiceName) -> Arc<Settings> {
        let own = self.config.settings_for.as_ref().and_then(|settings| settings(service));
        own.unwrap_or_else(|| Arc::clone(&self.config.defaults))
    }

    /// The settings that the code has, with changes over them.
    pub(super) fn changed_settings(
        &self,
        service: &ServiceName,
        changes: &Extra,
    ) -> Result<Settings, serde_json::Error> {
        let mut settings = serde_json::to_value(&*self.code_settings(service))?;
        if let Value::Object(fields) = &mut settings {
            for (field, value) in changes {
                fields.insert(field.clone(), value.clone());
            }
        }
        serde_json::from_value(settings)
    }

    fn maps(&self) -> MutexGuard<'_, Vec<BreakerMap>> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuits for LiveCircuits {
    fn find(&self, service: &ServiceName) -> Option<Found> {
        if let Some(breaker) = self.get(service) {
            return Some(Found { breaker, keyed: false });
        }
        let keyed = self.maps().iter().find_map(|map| map.get(service));
        keyed.map(|breaker| Found { breaker, keyed: true })
    }

    fn names(&self) -> Vec<ServiceName> {
        let mut names: Vec<_> = self.named.pin().keys().cloned().collect();
        for map in self.maps().iter() {
            names.extend(map.snapshots().into_iter().map(|snapshot| snapshot.service));
        }
        names
    }

    fn configure(&self, breaker: &Breaker, changes: &Extra) {
        match self.changed_settings(breaker.service(), changes) {
            Ok(settings) => {
                if *breaker.settings() != settings {
                    breaker.configure_shared(settings);
                }
            }
            Err(error) => tracing::error!(
                service = %breaker.service(),
                %error,
                "circuit breaker: live settings from the store do not fit and are not in force"
            ),
        }
    }
}

impl fmt::Debug for LiveCircuits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveCircuits")
            .field("named", &self.named.len())
            .field("maps", &self.maps().len())
            .finish_non_exhaustive()
    }
}
