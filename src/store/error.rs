//! What goes wrong with a store.

use std::{error::Error, fmt, time::Duration};

use super::stored::Stored;

type Source = Box<dyn Error + Send + Sync>;

/// The error of a store.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// Another write came first. Nothing was written.
    Conflict {
        /// What is there now; none if the store has nothing of the circuit.
        current: Option<Box<Stored>>,
    },
    /// The store could not be asked, or gave no answer in time: it is down, slow, locked or full.
    /// A write may or may not have been taken.
    Unavailable {
        /// What was tried: `load_all`.
        operation: &'static str,
        /// Why.
        source: Source,
    },
    /// Something in the store cannot be read. It is left as it is.
    Corrupt {
        /// The table, file or key space: `circuit_breaker_states`.
        place: String,
        /// The row: its key.
        row: String,
        /// The field, the value, and what it must be.
        problem: String,
    },
    /// What was to be written is not valid. Nothing was written.
    Invalid {
        /// The field.
        field: &'static str,
        /// The value and the bound.
        problem: String,
    },
    /// The tables are missing, too old or too new.
    Schema {
        /// What was found and what is needed, and what to do about it.
        problem: String,
    },
    /// The store cannot be reached with what it was configured with: a wrong URL, a missing folder,
    /// a wrong password.
    Configuration {
        /// What is wrong, without any password.
        problem: String,
    },
}

impl StoreError {
    /// An operation that failed for now.
    pub fn unavailable(operation: &'static str, source: impl Into<Source>) -> Self {
        Self::Unavailable { operation, source: source.into() }
    }

    /// An operation that had no answer in time.
    #[must_use]
    pub fn timed_out(operation: &'static str, after: Duration) -> Self {
        Self::unavailable(operation, TimedOut(after))
    }

    /// A write that lost against another one.
    #[must_use]
    pub fn conflict(current: Option<Stored>) -> Self {
        Self::Conflict { current: current.map(Box::new) }
    }

    /// Something that cannot be read.
    pub fn corrupt(
        place: impl Into<String>,
        row: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self::Corrupt { place: place.into(), row: row.into(), problem: problem.into() }
    }

    /// Something that cannot be written.
    pub fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }

    /// Whether another write came first.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Whether the same may work later without anybody doing anything.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { current: Some(current) } => {
                write!(f, "the record of `{}` was changed by another writer", current.service())
            }
            Self::Conflict { current: None } => f.write_str("there is no record to change"),
            Self::Unavailable { operation, .. } => write!(f, "the store failed at {operation}"),
            Self::Corrupt { place, row, problem } => write!(f, "{place}, row `{row}`: {problem}"),
            Self::Invalid { field, problem } => write!(f, "{field}: {problem}"),
            Self::Schema { problem } | Self::Configuration { problem } => f.write_str(problem),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unavailable { source, .. } => Some(&**source),
            _ => None,
        }
    }
}

/// The source of an error that is a deadline.
#[derive(Clone, Copy, Debug)]
struct TimedOut(Duration);

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {}", humantime::format_duration(self.0))
    }
}

impl Error for TimedOut {}
