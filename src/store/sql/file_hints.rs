//! What the operating system tells of a file.

use std::{path::Path, sync::Arc};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Is told when a file is written to, where the platform can tell. Ends with this.
#[derive(Debug)]
pub(super) struct FileHints {
    written: Arc<Notify>,
    _watcher: RecommendedWatcher,
}

impl FileHints {
    /// None where the platform does not tell, or has no watch left to give: whoever asks has an
    /// interval too.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let written = Arc::new(Notify::new());
        let (name, told) = (file.file_name()?.to_owned(), Arc::clone(&written));
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // What was missed is as good as a write.
            let is_write = event.map_or(true, |event| {
                !matches!(event.kind, EventKind::Access(_))
                    && (event.need_rescan()
                        || event.paths.iter().any(|path| path.file_name() == Some(&*name)))
            });
            if is_write {
                told.notify_one();
            }
        })
        .ok()?;
        // The folder, since the log is removed and made anew.
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        watcher.watch(folder.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive).ok()?;
        Some(Self { written, _watcher: watcher })
    }

    /// Completes when the file was written to since the last time. Cancel safe.
    pub(super) async fn written(&self) {
        self.written.notified().await;
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_write_is_told_and_so_is_one_to_a_file_that_was_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("a-wal"), folder.path().join("b-wal"));
        let hints = FileHints::of(&file).unwrap();
        let told = |within| tokio::time::timeout(within, hints.written());
        for _ in 0..2 {
            std::fs::write(&file, b"x").unwrap();
            told(Duration::from_secs(10)).await.expect("a hint");
            std::fs::remove_file(&file).unwrap();
            told(Duration::from_secs(10)).await.expect("a hint of the end");
            while told(Duration::from_millis(50)).await.is_ok() {}
        }
        std::fs::write(&other, b"x").unwrap();
        assert!(told(Duration::from_millis(50)).await.is_err(), "another file");
        assert!(FileHints::of(&folder.path().join("none/a-wal")).is_none());
    }
}
