//! What a registry found when it started.

use std::time::Duration;

use crate::{
    breaker::ServiceName,
    circuit::{Moment, Override, State, Version},
    fleet::Known,
    store::{TieredStore, tiered::Tier},
};

/// A circuit that a registry found in its store.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recovered {
    /// What it protects.
    pub service: ServiceName,
    /// The state that the store has.
    pub state: State,
    /// The override over it.
    pub override_: Option<Override>,
    /// How long it has been in that state, by the store's clock.
    pub age: Duration,
    /// What is left of the open time, zero once it is over; none in other states.
    pub remaining: Option<Duration>,
    /// Why it is in that state.
    pub reason: Option<String>,
    /// The version of the state.
    pub version: Version,
}

impl Recovered {
    pub(super) fn new(known: &Known, now: Moment) -> Option<Self> {
        let record = known.record()?;
        let adoption = known.adoption(now);
        let open = record.state.state == State::Open;
        Some(Self {
            service: record.service.clone(),
            state: record.state.state,
            override_: record.override_.value,
            age: adoption.elapsed,
            remaining: open.then(|| adoption.open_for.saturating_sub(adoption.elapsed)),
            reason: record.state.reason.clone(),
            version: record.state.version,
        })
    }

    /// Logs it: circuits that let calls through as ever at a level of their own, since there may be
    /// thousands.
    pub(super) fn log(&self, source: &str) {
        macro_rules! recovered {
            ($level:ident) => {
                tracing::$level!(
                    service = %self.service,
                    source,
                    state = self.state.as_str(),
                    override_ = self.override_.map(|over| State::from(over).as_str()),
                    remaining = self.remaining.map(tracing::field::debug),
                    version = %self.version,
                    "circuit breaker: recovered",
                )
            };
        }
        if self.state == State::Closed && self.override_.is_none() {
            recovered!(debug);
        } else {
            recovered!(info);
        }
    }
}

/// Where circuits are recovered from.
#[derive(Debug)]
pub(super) enum Source {
    Named(&'static str),
    Tiers(TieredStore),
}

impl Source {
    /// What it is called as a whole.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Named(name) => name,
            Self::Tiers(_) => "tiers",
        }
    }

    fn of(&self, circuit: &Recovered) -> &'static str {
        match self {
            Self::Named(name) => name,
            Self::Tiers(store) => store.source(&circuit.service).map_or("tiers", Tier::as_str),
        }
    }

    /// Logs each circuit.
    pub(super) fn log(&self, recovered: &[Recovered]) {
        for circuit in recovered {
            circuit.log(self.of(circuit));
        }
    }

    /// The name, or how many circuits each tier had: `cache: 12, durable: 3`.
    pub(super) fn counted(&self, recovered: &[Recovered]) -> String {
        let count = |source: &str| recovered.iter().filter(|one| self.of(one) == source).count();
        match self {
            Self::Named(name) => (*name).to_owned(),
            Self::Tiers(_) => format!("cache: {}, durable: {}", count("cache"), count("durable")),
        }
    }
}
