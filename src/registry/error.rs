//! What goes wrong with a registry.

use std::{error::Error, fmt};

use crate::{
    breaker::{InvalidMap, InvalidName, ServiceName},
    circuit::InvalidSettings,
    journal::JournalError,
};

/// The error of a registry.
#[derive(Debug)]
#[non_exhaustive]
pub enum RegistryError {
    /// A service name is not valid.
    Name(InvalidName),
    /// There are as many named circuits as there may be.
    TooMany {
        /// How many there may be.
        services: usize,
    },
    /// Live settings are not valid over those that the code has.
    Settings {
        /// Which circuit they are for.
        service: ServiceName,
        /// Each field, its value, and its bound.
        problem: InvalidSettings,
    },
    /// Live settings have a field that there is none of, or of another type.
    Field {
        /// Which circuit they are for.
        service: ServiceName,
        /// The field.
        problem: serde_json::Error,
    },
    /// An option of the builder is out of its bounds.
    Option {
        /// The option.
        option: &'static str,
        /// The value and the bound.
        problem: String,
    },
    /// The journal cannot work.
    Journal(JournalError),
    /// The map of keyed circuits cannot work.
    Map(InvalidMap),
    /// A registry needs a running tokio runtime for its tasks.
    NoRuntime,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(_) => f.write_str("the name of a service is not valid"),
            Self::TooMany { services } => {
                write!(f, "there are {services} named circuits, and may be no more")
            }
            Self::Settings { service, .. } => {
                write!(f, "the live settings of `{service}` are not valid")
            }
            Self::Field { service, .. } => {
                write!(f, "the live settings of `{service}` cannot be read")
            }
            Self::Option { option, problem } => write!(f, "{option}: {problem}"),
            Self::Journal(_) => f.write_str("the journal cannot work"),
            Self::Map(_) => f.write_str("the map of keyed circuits is not valid"),
            Self::NoRuntime => {
                f.write_str("a registry has to be started inside of a tokio runtime")
            }
        }
    }
}

impl Error for RegistryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Name(error) => Some(error),
            Self::Settings { problem, .. } => Some(problem),
            Self::Field { problem, .. } => Some(problem),
            Self::Journal(error) => Some(error),
            Self::Map(error) => Some(error),
            Self::TooMany { .. } | Self::Option { .. } | Self::NoRuntime => None,
        }
    }
}

impl From<InvalidName> for RegistryError {
    fn from(error: InvalidName) -> Self {
        Self::Name(error)
    }
}

impl From<InvalidMap> for RegistryError {
    fn from(error: InvalidMap) -> Self {
        Self::Map(error)
    }
}
