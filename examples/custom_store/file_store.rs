//! A store of circuits in a file.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{task::spawn_blocking, time::sleep};
use tower_breaker::{
    ServiceName,
    store::{
        ChangeHint, CircuitRecord, Committed, Cursor, EventRecord, Expected, Lane, Loaded,
        StateStore, StoreError, Stored, Timestamp, Tombstone,
    },
};

use crate::book::{self, Book};

/// Circuits in a JSON file, for a handful of services and processes on one machine.
///
/// Each write reads the whole file and replaces it, under a lock beside it, so its price grows with
/// the number of circuits. Written changes survive the end of the process, and not the loss of power.
/// The file must not lie on a network drive without locks. It has no history: events are ignored.
#[derive(Debug)]
pub(crate) struct FileStore {
    path: PathBuf,
}

/// How often watchers look for changes.
const INTERVAL: Duration = Duration::from_millis(500);

impl FileStore {
    pub(crate) fn open(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the record of a circuit unreadable, to test what happens then.
    pub(crate) fn scribble(&self, service: &ServiceName) -> Result<(), StoreError> {
        change(&self.path, |book| {
            book.scribble(service);
            Ok(())
        })
    }

    /// Runs what blocks where it blocks nobody. Once it runs, it runs to its end, whoever drops this.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = self.path.clone();
        let done = spawn_blocking(move || work(&path)).await;
        done.unwrap_or_else(|error| Err(StoreError::unavailable("a task", error)))
    }
}

/// Changes the file, or leaves it as it is where `edit` fails.
fn change<T>(
    path: &Path,
    edit: impl FnOnce(&mut Book) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let _lock = book::lock(path).map_err(|error| StoreError::unavailable("lock", error))?;
    let mut book = Book::read(path)?;
    let done = edit(&mut book)?;
    book.write(path)?;
    Ok(done)
}

#[expect(clippy::disallowed_methods, reason = "this is the clock of the store")]
fn now() -> Timestamp {
    SystemTime::now().into()
}

/// The record that a write begins from: the stored one, or an empty one.
fn begun(found: Option<Stored>, service: &ServiceName, now: Timestamp) -> CircuitRecord {
    let mut record = CircuitRecord::new(service.clone());
    record.state.changed_at = now;
    match found {
        Some(Stored::Record(record)) => return record,
        Some(Stored::Tombstone(tombstone)) => {
            record.state.version = tombstone.versions.state;
            record.override_.version = tombstone.versions.override_;
            record.settings.version = tombstone.versions.settings;
        }
        None => {}
    }
    record
}

#[async_trait]
impl StateStore for FileStore {
    async fn load(&self, service: &ServiceName) -> Result<Option<Stored>, StoreError> {
        let service = service.clone();
        self.blocking(move |path| Book::read(path)?.get(path, &service, now())).await
    }

    async fn load_all(&self, since: Option<Cursor>) -> Result<Loaded, StoreError> {
        self.blocking(move |path| {
            let (book, now) = (Book::read(path)?, now());
            let mut loaded = Loaded::new(Vec::new(), Cursor(book.changes));
            for (service, change) in book.services() {
                if change > since.unwrap_or_default().0 {
                    match book.get(path, service, now) {
                        Ok(stored) => loaded.stored.extend(stored),
                        Err(error) => loaded.corrupt.push(error),
                    }
                }
            }
            Ok(loaded)
        })
        .await
    }

    async fn compare_and_swap(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        _event: Option<&EventRecord>,
    ) -> Result<Committed, StoreError> {
        next.check_write(expected)?;
        let next = next.clone();
        self.blocking(move |path| {
            change(path, |book| {
                let now = now();
                let found = book.get(path, &next.service, now)?;
                if Expected::found(expected.lane, found.as_ref()) != expected {
                    return Err(StoreError::conflict(found));
                }
                let mut record = begun(found, &next.service, now);
                record.take_lane(expected.lane, &next);
                if expected.lane == Lane::State {
                    record.state.changed_at = now.before(next.age);
                }
                book.put(Stored::Record(record))?;
                Ok(Committed::new(next.version(expected.lane), now))
            })
        })
        .await
    }

    async fn remove(&self, service: &ServiceName, expected: Expected) -> Result<(), StoreError> {
        let service = service.clone();
        self.blocking(move |path| {
            change(path, |book| {
                let now = now();
                match book.get(path, &service, now)? {
                    Some(Stored::Record(record))
                        if Some(record.version(expected.lane)) == expected.version =>
                    {
                        book.put(Stored::Tombstone(Tombstone::of(&record, now)))
                    }
                    found => Err(StoreError::conflict(found)),
                }
            })
        })
        .await
    }

    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        self.blocking(move |path| {
            change(path, |book| {
                let now = now();
                let old = |service: &str| match book.get(path, service, now) {
                    Ok(Some(Stored::Tombstone(tombstone))) => tombstone.age >= age,
                    _ => false,
                };
                let services = book.services().map(|(service, _)| service);
                let old: Vec<String> = services
                    .filter(|service| old(service))
                    .take(at_most as usize)
                    .map(str::to_owned)
                    .collect();
                old.iter().for_each(|service| book.forget(service));
                Ok(old.len() as u64)
            })
        })
        .await
    }

    /// A file does not tell that it changed: watchers are told to look now and then.
    fn watch(&self) -> BoxStream<'static, ChangeHint> {
        let later = stream::repeat(()).then(|()| async {
            sleep(INTERVAL).await;
            ChangeHint::Resync
        });
        stream::iter([ChangeHint::Resync]).chain(later).boxed()
    }
}
