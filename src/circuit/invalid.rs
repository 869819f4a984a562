//! The error of settings that cannot work.

use std::{error::Error, fmt};

/// One setting that was refused: which, its value, and the bound it broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    pub(super) field: &'static str,
    pub(super) value: String,
    pub(super) bound: &'static str,
}

impl InvalidField {
    /// The name of the setting.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// The value it was given, as text.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What the value has to satisfy.
    #[must_use]
    pub fn bound(&self) -> &'static str {
        self.bound
    }
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} but must be {}", self.field, self.value, self.bound)
    }
}

/// The error when settings cannot work: every field that was refused, in the order of the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSettings {
    pub(super) fields: Vec<InvalidField>,
}

impl InvalidSettings {
    /// The fields that were refused, at least one.
    #[must_use]
    pub fn fields(&self) -> &[InvalidField] {
        &self.fields
    }
}

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid circuit breaker settings: ")?;
        for (index, field) in self.fields.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            field.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for InvalidSettings {}

#[cfg(test)]
mod tests {
    use crate::circuit::Settings;

    #[test]
    fn all_that_was_refused_is_one_line() {
        let error = Settings::builder().failure_threshold(0).jitter(2.0).build().unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid circuit breaker settings: failure_threshold is 0 but must be from 1 to 1000000; \
             jitter is 2 but must be from 0 to 1"
        );
    }
}
