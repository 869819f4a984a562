//! The name of what a breaker protects.

use std::{borrow::Borrow, error::Error, fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Serialize};

/// The name of what a breaker protects: 1 to 256 bytes without control characters. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// The most bytes a name may have.
    pub const MAX_LEN: usize = 256;

    /// Checks a name.
    ///
    /// # Errors
    ///
    /// Says what is wrong with a name that is empty, longer than [`MAX_LEN`](Self::MAX_LEN) bytes,
    /// or has a control character.
    pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidName> {
        let name = name.as_ref();
        if name.is_empty() {
            return Err(InvalidName::Empty);
        }
        if name.len() > Self::MAX_LEN {
            return Err(InvalidName::TooLong { len: name.len() });
        }
        match name.char_indices().find(|(_, character)| character.is_control()) {
            Some((at, character)) => Err(InvalidName::Control { character, at }),
            None => Ok(Self(name.into())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name of the crate's own.
    pub(crate) fn trusted(name: &'static str) -> Self {
        Self(name.into())
    }

    /// The same name with a reference count of its own, for another lane.
    pub(crate) fn unshared(&self) -> Self {
        Self(Arc::from(&*self.0))
    }
}

impl Deref for ServiceName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ServiceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ServiceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ServiceName {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, InvalidName> {
        Self::new(name)
    }
}

impl TryFrom<&str> for ServiceName {
    type Error = InvalidName;

    fn try_from(name: &str) -> Result<Self, InvalidName> {
        Self::new(name)
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.as_str().to_owned()
    }
}

/// The error of a service name that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidName {
    /// The name is empty.
    Empty,
    /// The name is longer than [`ServiceName::MAX_LEN`] bytes.
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The name has a control character.
    Control {
        /// The character.
        character: char,
        /// The byte it begins at.
        at: usize,
    },
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid service name: ")?;
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong { len } => {
                write!(f, "it has {len} bytes, more than {}", ServiceName::MAX_LEN)
            }
            Self::Control { character, at } => {
                write!(f, "it has the control character {character:?} at byte {at}")
            }
        }
    }
}

impl Error for InvalidName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_printable() {
        assert_eq!(ServiceName::new(""), Err(InvalidName::Empty));
        assert_eq!(ServiceName::new("x".repeat(257)), Err(InvalidName::TooLong { len: 257 }));
        let control = InvalidName::Control { character: '\n', at: 1 };
        assert_eq!(ServiceName::new("a\nb"), Err(control));
        assert_eq!(
            control.to_string(),
            r"invalid service name: it has the control character '\n' at byte 1"
        );
        assert_eq!(ServiceName::new("x".repeat(256)).unwrap().len(), 256);
        assert_eq!(ServiceName::new("zahlungen/größe").unwrap().as_str(), "zahlungen/größe");
    }

    #[test]
    fn a_serialised_name_is_text_and_is_checked() {
        let name = ServiceName::new("payments").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), r#""payments""#);
        assert_eq!(serde_json::from_str::<ServiceName>(r#""payments""#).unwrap(), name);
        let error = serde_json::from_str::<ServiceName>(r#""""#).unwrap_err();
        assert!(error.to_string().contains("it is empty"), "{error}");
    }
}
