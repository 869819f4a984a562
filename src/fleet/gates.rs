//! Who lets the first probe of a circuit through.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    lease::is_low_traffic,
    mirror::Known,
    scope::{Scope, Scopes},
};
use crate::{
    breaker::{Breaker, ServiceName},
    circuit::{Gate, State},
};

/// Says who lets probes through: the circuits themselves unless there is a fleet, and a coordinator
/// that can ask the store.
#[derive(Debug)]
pub(crate) struct Gates {
    scopes: Scopes,
    /// The store answers a coordinator.
    coordinated: AtomicBool,
}

impl Gates {
    pub(crate) fn new(scopes: Scopes) -> Self {
        Self { scopes, coordinated: AtomicBool::new(false) }
    }

    pub(crate) fn scope(&self, service: &ServiceName) -> Scope {
        self.scopes.of(service)
    }

    /// Says whether the store answers. Returns whether that is new.
    pub(super) fn set_coordinated(&self, coordinated: bool) -> bool {
        self.coordinated.swap(coordinated, Ordering::AcqRel) != coordinated
    }

    /// Whether a circuit is on its own: nobody else's rounds matter to it.
    pub(super) fn is_alone(&self, service: &ServiceName) -> bool {
        self.scope(service).quorum().is_none() || !self.coordinated.load(Ordering::Acquire)
    }

    /// Who lets probes through as things stand.
    pub(crate) fn gate(&self, service: &ServiceName, known: Option<&Known>) -> Gate {
        let Some(quorum) = self.scope(service).quorum() else { return Gate::Local };
        if !self.coordinated.load(Ordering::Acquire) {
            return Gate::Local;
        }
        let record = known.and_then(Known::record);
        let shared = record.map_or(State::Closed, |record| record.state.state);
        if quorum > 1 && shared == State::Closed {
            // It is open here alone, and nobody else's probes tell it anything.
            return Gate::Local;
        }
        if shared == State::Open && record.is_some_and(is_low_traffic) {
            return Gate::Single;
        }
        Gate::Granted
    }

    /// Puts that in force.
    pub(crate) fn apply(&self, breaker: &Breaker, known: Option<&Known>) {
        let gate = self.gate(breaker.service(), known);
        if breaker.gate() != gate {
            breaker.set_gate(gate);
        }
    }
}
