//! Whether a store answers.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{breaker::ClockSource, circuit::Moment, store::StoreError};

/// Whether a store answers, as a coordinator last saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreHealth {
    /// Nobody has asked it yet.
    Unknown,
    /// It answers.
    Available,
    /// It does not. The circuits work on their own meanwhile.
    Unavailable {
        /// Since how long.
        lasting: Duration,
        /// The first error.
        error: String,
    },
}

/// Tells of an outage when it begins and when it ends.
#[derive(Debug)]
pub(crate) struct Health {
    clock: ClockSource,
    state: Mutex<Seen>,
}

#[derive(Debug)]
enum Seen {
    Unknown,
    Up,
    Down { since: Moment, error: String },
}

impl Health {
    pub(crate) fn new(clock: ClockSource) -> Self {
        Self { clock, state: Mutex::new(Seen::Unknown) }
    }

    pub(crate) fn read(&self) -> StoreHealth {
        match &*self.state() {
            Seen::Unknown => StoreHealth::Unknown,
            Seen::Up => StoreHealth::Available,
            Seen::Down { since, error } => StoreHealth::Unavailable {
                lasting: self.clock.now().since(*since),
                error: error.clone(),
            },
        }
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(*self.state(), Seen::Down { .. })
    }

    pub(super) fn answered(&self) {
        let mut state = self.state();
        if let Seen::Down { since, .. } = *state {
            let lasted = self.clock.now().since(since);
            tracing::info!(?lasted, "circuit breaker: the store answers again");
        }
        *state = Seen::Up;
    }

    pub(super) fn failed(&self, error: &StoreError) {
        let mut state = self.state();
        if !matches!(*state, Seen::Down { .. }) {
            let error = describe(error);
            tracing::warn!(
                error,
                "circuit breaker: the store does not answer; circuits work on their own meanwhile"
            );
            *state = Seen::Down { since: self.clock.now(), error };
        }
    }

    fn state(&self) -> MutexGuard<'_, Seen> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with its sources.
pub(super) fn describe(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
