//! Bounds of what is written, checked by every store before it writes.

use super::{
    MAX_TEXT,
    error::StoreError,
    event::EventRecord,
    findings::{AlertRecord, PatternRecord, Silence},
    instance::{InstanceRow, NamedLease},
    metrics::MetricBucket,
    record::{CircuitRecord, Extra, Lane},
    stored::Expected,
};

/// The most bytes of a key: of a finding, an incident, a silence.
const MAX_KEY: usize = 512;
/// The most bytes of a short name: of a kind, an instance, a lease.
const MAX_NAME: usize = 256;
/// The most bytes that data without a fixed form may have as JSON.
const MAX_DATA: usize = 16 * 1024;

/// The largest number that databases keep in 64 bits with a sign.
const MAX_NUMBER: u64 = i64::MAX as u64;

impl CircuitRecord {
    /// Checks a write of one lane: what a store does first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] names the field, the value and the bound.
    pub fn check_write(&self, expected: Expected) -> Result<(), StoreError> {
        let (next, before) = (self.version(expected.lane), expected.version.unwrap_or_default());
        if next <= before {
            return Err(StoreError::invalid(
                "version",
                format!("{next} but must be above the expected {before}"),
            ));
        }
        number("version.epoch", next.epoch)?;
        number("version.counter", next.counter)?;
        match expected.lane {
            Lane::State => {
                let lane = &self.state;
                if lane.state.is_override() {
                    return Err(StoreError::invalid(
                        "state",
                        format!("`{}` but must be closed, open or half_open", lane.state),
                    ));
                }
                optional_text("reason", lane.reason.as_deref())?;
                if let Some(lease) = &lane.lease {
                    number("lease.token", lease.token)?;
                }
            }
            Lane::Override => {
                optional_text("override.by", self.override_.by.as_deref())?;
                optional_text("override.reason", self.override_.reason.as_deref())?;
            }
            Lane::Settings => {
                optional_text("settings.by", self.settings.by.as_deref())?;
                data("settings.changes", &self.settings.changes)?;
            }
        }
        data("extra", &self.extra)
    }
}

impl EventRecord {
    /// Checks an event: what a store does first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] names the field, the value and the bound.
    pub fn check(&self) -> Result<(), StoreError> {
        number("id.sequence", self.id.sequence)?;
        number("admitted", self.admitted.unwrap_or_default())?;
        number("generation", self.generation.unwrap_or_default())?;
        if self.weight == 0 {
            return Err(StoreError::invalid("weight", "0 but must be at least 1"));
        }
        optional_text("reason", self.reason.as_deref())?;
        optional_text("error_type", self.error_type.as_deref())?;
        optional_text("error_message", self.error_message.as_deref())?;
        data("data", &self.data)
    }
}

impl MetricBucket {
    /// Checks a bucket: what a store does first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] names the field, the value and the bound.
    pub fn check(&self) -> Result<(), StoreError> {
        let start = self.resolution.start_of(self.start);
        if start != self.start {
            return Err(StoreError::invalid(
                "start",
                format!(
                    "{} but must be a whole multiple of {} s",
                    self.start,
                    self.resolution.seconds()
                ),
            ));
        }
        let counts = &self.counts;
        for (field, value) in [
            ("admitted", counts.admitted),
            ("succeeded", counts.succeeded),
            ("failed", counts.failed),
            ("slow", counts.slow),
            ("rejected", counts.rejected),
            ("ignored", counts.ignored),
            ("late", counts.late),
        ] {
            number(field, value)?;
        }
        Ok(())
    }
}

impl PatternRecord {
    /// Checks a finding: what a store does first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] names the field, the value and the bound.
    pub fn check(&self) -> Result<(), StoreError> {
        name("key", &self.key, MAX_KEY)?;
        name("pattern", &self.pattern, MAX_NAME)?;
        number("failure_count", self.failure_count)?;
        if !(self.error_rate.is_finite() && self.error_rate >= 0.0) {
            return Err(StoreError::invalid(
                "error_rate",
                format!("{} but must be zero or above", self.error_rate),
            ));
        }
        if !(0.0..=1.0).contains(&self.confidence) {
            return Err(StoreError::invalid(
                "confidence",
                format!("{} but must be from 0 to 1", self.confidence),
            ));
        }
        data("evidence", &self.evidence)
    }
}

impl AlertRecord {
    /// Checks an alert: what a store does first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] names the field, the value and the bound.
    pub fn check(&self) -> Result<(), StoreError> {
        name("key", &self.key, MAX_KEY)?;
        name("kind", &self.kind, MAX_NAME)?;
        text("message", &self.message)?;
        number("count", self.count)?;
        optional_text("acknowledged_by", self.acknowledged_by.as_deref())?;
        data("details", &self.details)
    }

    /// Checks who acknowledges an alert: what a store does first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] names the field, the value and the bound.
    pub fn check_acknowledged_by(by: &str) -> Result<(), StoreError> {
        text("acknowledged_by", by)
    }
}

impl Silence {
    /// Checks a silence: what a store does first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] names the field, the value and the bound.
    pub fn check(&self) -> Result<(), StoreError> {
        name("key", &self.key, MAX_KEY)?;
        text("by", &self.by)?;
        optional_text("kind", self.kind.as_deref())?;
        optional_text("reason", self.reason.as_deref())
    }
}

impl InstanceRow {
    /// Checks a row: what a store does first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] names the field, the value and the bound.
    pub fn check(&self) -> Result<(), StoreError> {
        name("name", &self.name, MAX_NAME)?;
        data("extra", &self.extra)
    }
}

impl NamedLease {
    /// Checks the name of a lease: what a store does first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] names the field, the value and the bound.
    pub fn check_name(lease: &str) -> Result<(), StoreError> {
        name("name", lease, MAX_NAME)
    }
}

fn number(field: &'static str, value: u64) -> Result<(), StoreError> {
    if value > MAX_NUMBER {
        return Err(StoreError::invalid(
            field,
            format!("{value} but must be at most {MAX_NUMBER}"),
        ));
    }
    Ok(())
}

fn text(field: &'static str, value: &str) -> Result<(), StoreError> {
    if value.len() > MAX_TEXT {
        return Err(too_long(field, value.len(), MAX_TEXT));
    }
    // Postgres keeps no such text.
    if value.contains('\0') {
        return Err(StoreError::invalid(field, "has a null character"));
    }
    Ok(())
}

fn optional_text(field: &'static str, value: Option<&str>) -> Result<(), StoreError> {
    value.map_or(Ok(()), |value| text(field, value))
}

fn name(field: &'static str, value: &str, most: usize) -> Result<(), StoreError> {
    if value.is_empty() {
        return Err(StoreError::invalid(field, "is empty"));
    }
    if value.len() > most {
        return Err(too_long(field, value.len(), most));
    }
    text(field, value)
}

fn data(field: &'static str, value: &Extra) -> Result<(), StoreError> {
    if value.is_empty() {
        return Ok(());
    }
    let json = serde_json::to_string(value)
        .map_err(|error| StoreError::invalid(field, error.to_string()))?;
    if json.len() > MAX_DATA {
        return Err(too_long(field, json.len(), MAX_DATA));
    }
    // Postgres keeps no such text, in JSON either.
    if json.contains("\\u0000") {
        return Err(StoreError::invalid(field, "has a null character"));
    }
    Ok(())
}

fn too_long(field: &'static str, len: usize, most: usize) -> StoreError {
    StoreError::invalid(field, format!("{len} bytes but must be at most {most}"))
}

/// A text cut to what stores keep: at a character, and without null characters.
#[must_use]
pub fn bounded_text(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].chars().filter(|&character| character != '\0').collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::{State, Version};

    fn record() -> CircuitRecord {
        let mut record = CircuitRecord::new(crate::name::ServiceName::new("a").unwrap());
        record.state.version = Version::new(0, 1);
        record
    }

    #[test]
    fn a_write_that_is_out_of_bounds_names_field_value_and_bound() {
        let refused = |change: fn(&mut CircuitRecord)| {
            let mut record = record();
            change(&mut record);
            record.check_write(Expected::missing(Lane::State)).unwrap_err().to_string()
        };
        assert!(record().check_write(Expected::missing(Lane::State)).is_ok());
        assert_eq!(
            refused(|record| record.state.version = Version::default()),
            "version: 0.0 but must be above the expected 0.0"
        );
        assert_eq!(
            refused(|record| record.state.version = Version::new(u64::MAX, 0)),
            format!("version.epoch: {} but must be at most {}", u64::MAX, i64::MAX)
        );
        assert_eq!(
            refused(|record| record.state.state = State::Disabled),
            "state: `disabled` but must be closed, open or half_open"
        );
        assert_eq!(
            refused(|record| record.state.reason = Some("x".repeat(1025))),
            "reason: 1025 bytes but must be at most 1024"
        );
        assert_eq!(
            refused(|record| record.state.reason = Some("a\0b".to_owned())),
            "reason: has a null character"
        );
        assert_eq!(
            refused(|record| {
                record.extra.insert("a".to_owned(), "\0".into());
            }),
            "extra: has a null character"
        );
    }

    #[test]
    fn a_text_is_cut_at_a_character() {
        assert_eq!(bounded_text("a\0b"), "ab");
        let cut = bounded_text(&"€".repeat(1000));
        assert_eq!(cut, "€".repeat(MAX_TEXT / 3));
    }
}
