//! Records and tombstones as hashes.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    circuit::Version,
    name::ServiceName,
    store::{CircuitRecord, Extra, Lane, StoreError, Stored, Timestamp, Tombstone, Versions},
};

/// What fields begin with that this version of the crate does not know.
const EXTRA: &str = "extra:";
const FORMAT: &str = "1";

/// The fields of a hash, with their values.
pub(super) type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

// ===== writing =====

/// A lane as JSON, without what has fields of its own.
pub(super) fn lane_json(lane: Lane, record: &CircuitRecord) -> Result<String, StoreError> {
    let value = match lane {
        Lane::State => serde_json::to_value(&record.state),
        Lane::Override => serde_json::to_value(&record.override_),
        Lane::Settings => serde_json::to_value(&record.settings),
    };
    let wrong = |error: serde_json::Error| StoreError::invalid(lane.as_str(), error.to_string());
    let mut value: Value = value.map_err(wrong)?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("version");
        fields.remove("changed_at");
    }
    serde_json::to_string(&value).map_err(wrong)
}

/// The names and values of the fields for what is unknown.
pub(super) fn extra_fields(extra: &Extra) -> impl Iterator<Item = String> {
    extra.iter().flat_map(|(name, value)| [format!("{EXTRA}{name}"), value.to_string()])
}

// ===== reading =====

/// Reads a hash that anybody may have written to. What is out of its bounds is
/// [`StoreError::Corrupt`] and names the row and the field.
pub(super) fn stored(
    place: &str,
    service: &ServiceName,
    fields: &Fields,
    now: Timestamp,
) -> Result<Stored, StoreError> {
    Row { place, service, fields }.stored(now)
}

#[derive(Debug)]
struct Row<'a> {
    place: &'a str,
    service: &'a ServiceName,
    fields: &'a Fields,
}

impl Row<'_> {
    fn stored(&self, now: Timestamp) -> Result<Stored, StoreError> {
        let format = self.text("format")?;
        if format != FORMAT {
            return Err(self.corrupt(if format.parse::<u64>().is_ok_and(|format| format > 1) {
                format!(
                    "format is {format} but this version of the crate reads format {FORMAT}: a \
                     newer version wrote it"
                )
            } else {
                format!("format is {format:?} but must be {FORMAT}")
            }));
        }
        let name = self.text("service")?;
        if name != self.service.as_str() {
            return Err(self.corrupt(format!("service is {name:?} but must be the row's")));
        }
        match self.text("kind")? {
            "record" => self.record(now).map(Stored::Record),
            "tombstone" => self.tombstone(now).map(Stored::Tombstone),
            other => {
                Err(self.corrupt(format!("kind is {other:?} but must be record or tombstone")))
            }
        }
    }

    fn record(&self, now: Timestamp) -> Result<CircuitRecord, StoreError> {
        let versions = self.versions()?;
        let mut record = CircuitRecord::new(self.service.clone());
        record.state = self.lane(Lane::State, versions.state)?;
        record.override_ = self.lane(Lane::Override, versions.override_)?;
        record.settings = self.lane(Lane::Settings, versions.settings)?;
        record.age = now.since(record.state.changed_at);
        record.extra = self.extra()?;
        if record.state.state.is_override() {
            let state = record.state.state;
            return Err(self.corrupt(format!("state is `{state}`, which is an override")));
        }
        Ok(record)
    }

    fn tombstone(&self, now: Timestamp) -> Result<Tombstone, StoreError> {
        let removed_at = self.time("removed_at")?;
        let age = now.since(removed_at);
        let service = self.service.clone();
        Ok(Tombstone { service, versions: self.versions()?, removed_at, age })
    }

    fn versions(&self) -> Result<Versions, StoreError> {
        Ok(Versions {
            state: self.version("state.version")?,
            override_: self.version("override.version")?,
            settings: self.version("settings.version")?,
        })
    }

    /// A lane; one that was never written is empty, and has its version all the same.
    fn lane<T: DeserializeOwned + Serialize + Default>(
        &self,
        lane: Lane,
        version: Version,
    ) -> Result<T, StoreError> {
        let field = lane.as_str();
        let unreadable =
            |error: serde_json::Error| self.corrupt(format!("{field} is not its JSON: {error}"));
        let mut value = if self.fields.contains_key(field.as_bytes()) {
            serde_json::from_str(self.text(field)?)
        } else {
            serde_json::to_value(T::default())
        }
        .map_err(unreadable)?;
        let Some(fields) = value.as_object_mut() else {
            return Err(self.corrupt(format!("{field} is not its JSON: it is no object")));
        };
        fields.insert("version".to_owned(), serde_json::to_value(version).map_err(unreadable)?);
        if lane == Lane::State {
            let at = self.time("state.changed_at")?;
            fields.insert("changed_at".to_owned(), at.as_micros().into());
        }
        serde_json::from_value(value).map_err(unreadable)
    }

    fn extra(&self) -> Result<Extra, StoreError> {
        let mut extra = Extra::new();
        for (name, value) in self.fields {
            let Some(name) = name.strip_prefix(EXTRA.as_bytes()) else { continue };
            let name = std::str::from_utf8(name)
                .map_err(|error| self.corrupt(format!("the name of a field: {error}")))?;
            let value = serde_json::from_slice(value)
                .map_err(|error| self.corrupt(format!("{EXTRA}{name} is not JSON: {error}")))?;
            extra.insert(name.to_owned(), value);
        }
        Ok(extra)
    }

    fn version(&self, field: &str) -> Result<Version, StoreError> {
        let text = self.text(field)?;
        let version = text.split_once('.').and_then(|(epoch, counter)| {
            Some(Version::new(epoch.parse().ok()?, counter.parse().ok()?))
        });
        // Writers compare it as a text.
        version
            .filter(|version| {
                version.to_string() == text
                    && version.epoch.max(version.counter) <= i64::MAX.unsigned_abs()
            })
            .ok_or_else(|| self.corrupt(format!("{field} is {text:?} but must be like 0.1")))
    }

    fn time(&self, field: &str) -> Result<Timestamp, StoreError> {
        let text = self.text(field)?;
        let micros = text.parse::<i64>();
        let micros = micros.map_err(|_| {
            self.corrupt(format!("{field} is {text:?} but must be in microseconds since 1970"))
        })?;
        Timestamp::from_micros(micros)
            .ok_or_else(|| self.corrupt(format!("{field} is {micros} µs, before 1970")))
    }

    fn text(&self, field: &str) -> Result<&str, StoreError> {
        let value = self.fields.get(field.as_bytes());
        let value = value.ok_or_else(|| self.corrupt(format!("{field} is missing")))?;
        std::str::from_utf8(value)
            .map_err(|error| self.corrupt(format!("{field} is no text: {error}")))
    }

    fn corrupt(&self, problem: String) -> StoreError {
        StoreError::corrupt(self.place, self.service.as_str(), problem)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn service() -> ServiceName {
        ServiceName::new("payments").unwrap()
    }

    fn read(fields: &[(&str, &str)]) -> Result<Stored, StoreError> {
        let fields = fields.iter().map(|(name, value)| (name.as_bytes().into(), (*value).into()));
        stored("{breaker}:circuit", &service(), &fields.collect(), Timestamp::EPOCH.after(DAY))
    }

    const DAY: Duration = Duration::from_secs(86_400);

    const LEAST: [(&str, &str); 7] = [
        ("format", "1"),
        ("kind", "record"),
        ("service", "payments"),
        ("state.changed_at", "0"),
        ("state.version", "0.0"),
        ("override.version", "2.7"),
        ("settings.version", "0.0"),
    ];

    #[test]
    fn a_lane_that_was_never_written_is_empty_and_keeps_its_version() {
        let Ok(Stored::Record(record)) = read(&LEAST) else { panic!("{:?}", read(&LEAST)) };
        assert_eq!(record.override_.version, Version::new(2, 7));
        assert_eq!(record.age, DAY);
        let mut expected = CircuitRecord::new(service());
        expected.override_.version = Version::new(2, 7);
        expected.age = DAY;
        assert_eq!(record, expected);
    }

    #[test]
    fn a_hash_that_lacks_any_field_is_corrupt_and_names_it() {
        for missing in LEAST {
            let left: Vec<_> = LEAST.into_iter().filter(|field| *field != missing).collect();
            let error = read(&left).unwrap_err().to_string();
            assert!(error.contains("payments") && error.contains(missing.0), "{error}");
        }
    }

    #[test]
    fn a_value_out_of_its_bounds_is_corrupt_and_names_its_field() {
        for (field, value, says) in [
            ("format", "2", "a newer version wrote it"),
            ("format", "x", "must be 1"),
            ("kind", "index", "must be record or tombstone"),
            ("service", "other", "must be the row's"),
            ("state.changed_at", "-1", "before 1970"),
            ("state.changed_at", "1e9", "microseconds"),
            ("state.version", "1", "must be like 0.1"),
            ("state.version", "00.1", "must be like 0.1"),
            ("state.version", "9223372036854775808.0", "must be like 0.1"),
            ("state", "{\"state\":\"open\"", "not its JSON"),
            ("state", "{}", "missing field"),
            ("override", "[]", "not its JSON"),
            ("extra:zone", "", "not JSON"),
        ] {
            let mut fields: Vec<_> = LEAST.into_iter().filter(|(name, _)| *name != field).collect();
            fields.push((field, value));
            let error = read(&fields).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(field), "{field} {value}: {error}");
        }
    }
}
