//! What the file holds, and how it is read and replaced.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_breaker::{
    ServiceName,
    store::{CircuitRecord, StoreError, Stored, Timestamp, Tombstone},
};

/// All circuits, as the file has them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    /// How many changes there were.
    pub(crate) changes: u64,
    circuits: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The number of its last change.
    pub(crate) change: u64,
    /// Read one by one, so that one that cannot be read keeps no other from being read.
    stored: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Record(Box<CircuitRecord>),
    Tombstone(Tombstone),
}

impl Book {
    /// Reads the file; one that is missing is empty.
    pub(crate) fn read(path: &Path) -> Result<Self, StoreError> {
        match fs::read(path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| corrupt(path, "the whole file", &error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(StoreError::unavailable("read", error)),
        }
    }

    /// Replaces the file: whoever reads it meanwhile sees the old one or the new one.
    pub(crate) fn write(&self, path: &Path) -> Result<(), StoreError> {
        let unavailable = |error| StoreError::unavailable("write", error);
        let text = serde_json::to_vec_pretty(self).map_err(|error| unavailable(error.into()))?;
        let next = path.with_extension("next");
        fs::write(&next, text).map_err(unavailable)?;
        fs::rename(&next, path).map_err(unavailable)
    }

    /// What is there of a circuit, with its age.
    pub(crate) fn get(
        &self,
        path: &Path,
        service: &str,
        now: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        let Some(entry) = self.circuits.get(service) else { return Ok(None) };
        let kept =
            Kept::deserialize(&entry.stored).map_err(|error| corrupt(path, service, &error))?;
        Ok(Some(match kept {
            Kept::Record(mut record) => {
                record.age = now.since(record.state.changed_at);
                Stored::Record(*record)
            }
            Kept::Tombstone(mut tombstone) => {
                tombstone.age = now.since(tombstone.removed_at);
                Stored::Tombstone(tombstone)
            }
        }))
    }

    /// Puts a record or tombstone, as the next change.
    pub(crate) fn put(&mut self, stored: Stored) -> Result<(), StoreError> {
        let service = stored.service().to_string();
        let kept = match stored {
            Stored::Record(record) => Kept::Record(Box::new(record)),
            Stored::Tombstone(tombstone) => Kept::Tombstone(tombstone),
        };
        let stored = serde_json::to_value(kept)
            .map_err(|error| StoreError::invalid("record", error.to_string()))?;
        self.changes += 1;
        self.circuits.insert(service, Entry { change: self.changes, stored });
        Ok(())
    }

    /// Forgets all there is of a circuit.
    pub(crate) fn forget(&mut self, service: &str) {
        self.circuits.remove(service);
    }

    /// Writes something over a record that is none.
    pub(crate) fn scribble(&mut self, service: &ServiceName) {
        if let Some(entry) = self.circuits.get_mut(service.as_str()) {
            entry.stored = Value::from("scribble");
        }
    }

    /// The names, and the number of each one's last change.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&str, u64)> {
        self.circuits.iter().map(|(service, entry)| (service.as_str(), entry.change))
    }
}

fn corrupt(path: &Path, row: &str, error: &serde_json::Error) -> StoreError {
    StoreError::corrupt(path.display().to_string(), row, error.to_string())
}

/// A lock that one process, and one call in it, has at a time.
pub(crate) fn lock(path: &Path) -> io::Result<File> {
    let beside: PathBuf = path.with_extension("lock");
    let file = File::options().create(true).truncate(false).write(true).open(beside)?;
    file.lock()?;
    Ok(file)
}
