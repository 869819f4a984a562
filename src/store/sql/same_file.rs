//! Whether connections are to the file that is there.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Notices when a file was deleted or replaced. SQLite goes on with the one that it has opened, and
/// whatever is committed to a file that has no name any more is lost.
#[derive(Debug)]
pub(super) struct SameFile {
    path: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    file: FileId,
    /// Connections that are older are of no use.
    since: Option<Instant>,
    /// How often it was another one than before.
    changes: u64,
}

/// Which file: none if there is none.
type FileId = Option<(u64, u64)>;

impl SameFile {
    pub(super) fn new(path: &Path) -> Self {
        let seen = Seen { file: file_id(path), since: None, changes: 0 };
        Self { path: path.to_owned(), seen: Mutex::new(seen) }
    }

    /// Whether a connection that was made so long ago is to be used: it is to the file that is there
    /// now. Costs one look at the folder.
    pub(super) fn is_open_in(&self, age: Duration) -> bool {
        let file = file_id(&self.path);
        let mut seen = self.seen();
        if seen.file != file {
            // The first connection makes the file.
            let made = seen.file.is_none() && seen.since.is_none();
            seen.file = file;
            if !made {
                seen.since = Some(now());
                seen.changes += 1;
            }
        }
        seen.since.is_none_or(|since| age < now().duration_since(since))
    }

    /// How often it was another file than before. What was read before is of the other one then.
    pub(super) fn changes(&self) -> u64 {
        self.seen().changes
    }

    /// Has all connections that there are made anew: one that was opened while the file could not be
    /// written to never can write to it.
    pub(super) fn open_anew(&self) {
        self.seen().since = Some(now());
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "sqlx tells the age of a connection by this clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(unix)]
fn file_id(path: &Path) -> FileId {
    use std::os::unix::fs::MetadataExt;

    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// A file that is open cannot be deleted there.
#[cfg(not(unix))]
fn file_id(_: &Path) -> FileId {
    Some((0, 0))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn connections_to_a_file_that_is_gone_or_another_one_are_of_no_use() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (path, away) = (folder.path().join("a"), folder.path().join("b"));
        let same = SameFile::new(&path);
        assert!(same.is_open_in(LONG));
        std::fs::write(&path, "").expect("a file");
        assert!(same.is_open_in(LONG), "the first connection has made it");

        std::fs::rename(&path, &away).expect("moved");
        assert!(!same.is_open_in(LONG));
        std::fs::write(&path, "").expect("a file");
        assert!(!same.is_open_in(LONG));
        assert!(same.is_open_in(Duration::ZERO), "one that is new");
        assert_eq!(same.changes(), 2, "gone, and another one");
    }

    #[test]
    fn connections_are_made_anew_when_that_is_asked_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let same = SameFile::new(folder.path());
        assert!(same.is_open_in(LONG));
        same.open_anew();
        assert!(!same.is_open_in(LONG));
    }
}
