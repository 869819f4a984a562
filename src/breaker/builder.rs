//! Builds a named breaker.

use std::sync::Arc;

use super::{
    Breaker, Handle, InvalidName, Observer, ServiceName,
    clock::{Clock, ClockSource},
    hub::Hub,
};
use crate::circuit::{Circuit, Gate, Settings};

/// Builds a [`Breaker`].
#[must_use = "a builder does nothing until it is built"]
pub struct BreakerBuilder {
    service: Result<ServiceName, InvalidName>,
    settings: Arc<Settings>,
    parts: Parts,
    gate: Gate,
}

impl BreakerBuilder {
    pub(super) fn new(service: impl AsRef<str>) -> Self {
        Self {
            service: ServiceName::new(service),
            settings: Arc::default(),
            parts: Parts::default(),
            gate: Gate::Local,
        }
    }

    /// The settings. Defaults: [`Settings::default`].
    pub fn settings(mut self, settings: impl Into<Arc<Settings>>) -> Self {
        self.settings = settings.into();
        self
    }

    /// The clock. Default: the fastest reliable clock of the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.parts.clock = Some(ClockSource::Custom(Arc::new(clock)));
        self
    }

    /// Adds an observer, which is told of every event.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.parts.observers.push(Box::new(observer));
        self
    }

    /// The seed of the jitter. Default: random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.parts.seed = Some(seed);
        self
    }

    /// Who lets probes through. Default: [`Gate::Local`]. With [`Gate::Granted`] the breaker keeps
    /// its [`Changes`](super::Changes) for a coordinator from the start.
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// Builds the breaker, closed. The first one of a process calibrates the fast clock, which
    /// takes up to 200 ms.
    ///
    /// # Errors
    ///
    /// If the service name is not valid.
    pub fn build(self) -> Result<Breaker, InvalidName> {
        let service = self.service?;
        let mut circuit = Circuit::new(self.settings, self.parts.seed());
        circuit.set_gate(self.gate);
        let hub = self.parts.hub();
        let breaker = Breaker::kept(Handle::lanes(&service, &hub, circuit));
        if self.gate == Gate::Granted {
            breaker.keep_changes();
        }
        Ok(breaker)
    }
}

impl std::fmt::Debug for BreakerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BreakerBuilder")
            .field("service", &self.service)
            .field("settings", &self.settings)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

/// What the builders of breakers and of maps have in common.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) clock: Option<ClockSource>,
    pub(super) observers: Vec<Box<dyn Observer>>,
    pub(super) seed: Option<u64>,
}

impl Parts {
    pub(super) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| fastrand::u64(..))
    }

    pub(super) fn hub(self) -> Arc<Hub> {
        Hub::new(self.clock.unwrap_or_else(ClockSource::fast), self.observers)
    }
}
