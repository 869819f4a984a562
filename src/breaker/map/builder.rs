//! Builds a map of breakers.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use super::keyed::{BreakerMap, Config};
use crate::{
    breaker::{
        Breaker, Observer,
        builder::Parts,
        clock::{Clock, ClockSource},
    },
    circuit::Settings,
};

/// Builds a [`BreakerMap`].
#[must_use = "a builder does nothing until it is built"]
pub struct BreakerMapBuilder {
    config: Config,
    parts: Parts,
}

impl Default for BreakerMapBuilder {
    fn default() -> Self {
        let config = Config {
            settings: Arc::default(),
            settings_for: None,
            on_create: None,
            capacity: 10_000,
            idle_timeout: Duration::from_secs(600),
        };
        Self { config, parts: Parts::default() }
    }
}

impl BreakerMapBuilder {
    /// The settings of every circuit. Defaults: [`Settings::default`].
    pub fn settings(mut self, settings: impl Into<Arc<Settings>>) -> Self {
        self.config.settings = settings.into();
        self
    }

    /// The settings of particular circuits: asked once when a circuit is made; `None` means those
    /// of the map.
    pub fn settings_for<F>(mut self, settings_for: F) -> Self
    where
        F: Fn(&str) -> Option<Arc<Settings>> + Send + Sync + 'static,
    {
        self.config.settings_for = Some(Box::new(settings_for));
        self
    }

    /// Is called with each new circuit before the map hands it to anybody: to restore a recorded
    /// state, for instance. Not with the overflow circuit. Of several the last is called.
    ///
    /// It runs on the thread that asked for the key, outside every lock. It may use the map, but
    /// not ask it to make the same key. It should return soon, since a call waits for it. A panic is
    /// caught and reported once, and the circuit is used as it is.
    ///
    /// A circuit that was made is not always used: where threads ask for a new key at once each makes
    /// one, and all are given the same. A clone that is kept keeps the circuit from being forgotten.
    pub fn on_create(mut self, on_create: impl Fn(&Breaker) + Send + Sync + 'static) -> Self {
        self.config.on_create = Some(Box::new(on_create));
        self
    }

    /// The most keys that have a circuit of their own, 1 to 10,000,000. Default 10,000.
    pub fn capacity(mut self, keys: usize) -> Self {
        self.config.capacity = keys;
        self
    }

    /// After how long without a call a circuit may be forgotten, at least 1 s. Default 10 min.
    pub fn idle_timeout(mut self, duration: Duration) -> Self {
        self.config.idle_timeout = duration;
        self
    }

    /// The clock of every circuit. Default: the fastest reliable clock of the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.parts.clock = Some(ClockSource::Custom(Arc::new(clock)));
        self
    }

    /// Adds an observer, which is told of the events of every circuit.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.parts.observers.push(Box::new(observer));
        self
    }

    /// The seed of the jitter. Default: random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.parts.seed = Some(seed);
        self
    }

    /// Builds the map, empty.
    ///
    /// # Errors
    ///
    /// If the capacity or the idle timeout is out of its bounds.
    pub fn build(self) -> Result<BreakerMap, InvalidMap> {
        let Config { capacity, idle_timeout, .. } = self.config;
        if !(1..=10_000_000).contains(&capacity) {
            return Err(InvalidMap::Capacity { capacity });
        }
        if idle_timeout < Duration::from_secs(1) {
            return Err(InvalidMap::IdleTimeout { idle_timeout });
        }
        Ok(BreakerMap::new(self.config, self.parts))
    }
}

impl fmt::Debug for BreakerMapBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerMapBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The error of a map that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidMap {
    /// The capacity is out of its bounds.
    Capacity {
        /// The capacity.
        capacity: usize,
    },
    /// The idle timeout is too short.
    IdleTimeout {
        /// The idle timeout.
        idle_timeout: Duration,
    },
}

impl fmt::Display for InvalidMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity { capacity } => {
                write!(f, "capacity is {capacity} but must be from 1 to 10000000")
            }
            Self::IdleTimeout { idle_timeout } => write!(
                f,
                "idle_timeout is {} but must be at least 1s",
                humantime::format_duration(*idle_timeout)
            ),
        }
    }
}

impl Error for InvalidMap {}
