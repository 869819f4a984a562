//! How far a circuit's decisions reach.

use std::{fmt, sync::Arc};

use crate::breaker::ServiceName;

/// How far what a circuit decides reaches.
///
/// Overrides and live settings that people set reach all processes in any scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// This process: the circuit opens, probes and closes by what it sees itself, and its state is
    /// kept nowhere else. Its state changes are in the history all the same.
    Instance,
    /// All processes that share the store: they open, probe and close as one.
    Fleet {
        /// How many processes have to have opened the circuit for themselves before it opens for
        /// all, 1 to 1,000. Until then it is open where it failed and nowhere else. One is the
        /// quickest protection; with more, a process whose own network is broken does not take the
        /// circuit from all others.
        quorum: u32,
    },
}

/// One process that sees failures opens the circuit for all.
impl Default for Scope {
    fn default() -> Self {
        Self::Fleet { quorum: 1 }
    }
}

impl Scope {
    pub(crate) const MOST: u32 = 1000;

    /// How many processes it takes to open the circuit for all; none where they are on their own.
    pub(crate) fn quorum(self) -> Option<u32> {
        match self {
            Self::Instance => None,
            Self::Fleet { quorum } => Some(quorum.clamp(1, Self::MOST)),
        }
    }
}

/// Finds the scope that a circuit has of its own.
pub(crate) type ScopeFor = Arc<dyn Fn(&str) -> Option<Scope> + Send + Sync>;

/// The scopes of all circuits.
#[derive(Clone, Default)]
pub(crate) struct Scopes {
    pub(crate) default: Scope,
    pub(crate) own: Option<ScopeFor>,
}

impl Scopes {
    pub(crate) fn of(&self, service: &ServiceName) -> Scope {
        self.own.as_ref().and_then(|own| own(service)).unwrap_or(self.default)
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scopes").field("default", &self.default).finish_non_exhaustive()
    }
}
