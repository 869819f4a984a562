//! The names of keys.

use crate::{
    name::ServiceName,
    store::{RunId, StoreError},
};

/// The most bytes of a prefix.
const LONGEST: usize = 128;

/// The keys of one store. The prefix stands in braces, so that all of them share a slot.
#[derive(Debug)]
pub(super) struct Keys {
    prefix: String,
    pub(super) index: String,
    pub(super) tombstones: String,
    pub(super) instances: String,
    pub(super) channel: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Result<Self, StoreError> {
        let problem = if prefix.is_empty() {
            "is empty but must have 1 byte at least".to_owned()
        } else if prefix.len() > LONGEST {
            format!("has {} bytes but must have {LONGEST} at most", prefix.len())
        } else if let Some(bad) = prefix.chars().find(|c| matches!(c, '{' | '}') || c.is_control())
        {
            format!("has {bad:?} but must have neither braces nor control characters")
        } else {
            return Ok(Self {
                index: format!("{{{prefix}}}:changes"),
                tombstones: format!("{{{prefix}}}:tombstones"),
                instances: format!("{{{prefix}}}:instances"),
                channel: format!("{{{prefix}}}:changed"),
                prefix: format!("{{{prefix}}}:"),
            });
        };
        Err(StoreError::Configuration { problem: format!("the store's prefix {problem}") })
    }

    /// What all of them begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn records(&self) -> String {
        format!("{}circuit:", self.prefix)
    }

    pub(super) fn record(&self, service: &ServiceName) -> String {
        format!("{}circuit:{service}", self.prefix)
    }

    pub(super) fn lease(&self, name: &str) -> String {
        format!("{}lease:{name}", self.prefix)
    }

    pub(super) fn rows(&self) -> String {
        format!("{}instance:", self.prefix)
    }

    pub(super) fn row(&self, run: RunId) -> String {
        format!("{}instance:{run}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_the_one_hash_tag() {
        let keys = Keys::new("shop:breaker").unwrap();
        let service = ServiceName::new("a{b}").unwrap();
        for key in [keys.index.clone(), keys.record(&service), keys.lease("{x}"), keys.rows()] {
            assert!(key.starts_with("{shop:breaker}:"), "{key}");
        }
    }

    #[test]
    fn a_prefix_that_would_break_the_hash_tag_is_refused() {
        for wrong in ["", "a{b", "a}", "a\n", &"x".repeat(129)] {
            let error = Keys::new(wrong).unwrap_err().to_string();
            assert!(error.starts_with("the store's prefix "), "{error}");
        }
    }
}
