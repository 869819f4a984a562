//! A connection to SQLite that is kept between uses.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use sea_orm::sqlx::{
    self, ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions,
};
use tokio::sync::Mutex;

use super::{
    failure::Failure,
    same_file::SameFile,
    together::{Done, Together},
};

/// One connection at most, made when it is first used.
#[derive(Debug)]
pub(super) struct Kept {
    options: SqliteConnectOptions,
    file: Arc<SameFile>,
    slot: Mutex<Slot>,
    made: AtomicU64,
}

/// Held by whoever uses the connection.
#[derive(Debug, Default)]
struct Slot {
    open: Option<Open>,
    closed: bool,
}

#[derive(Debug)]
struct Open {
    connection: SqliteConnection,
    since: Instant,
}

impl Kept {
    pub(super) fn new(options: SqliteConnectOptions, file: Arc<SameFile>) -> Self {
        Self { options, file, slot: Mutex::default(), made: AtomicU64::new(0) }
    }

    /// Runs statements to their end. What is dropped before that leaves nothing, and costs the
    /// connection.
    pub(super) async fn run(&self, together: &Together) -> Result<Done, Failure> {
        let mut slot = self.slot.lock().await;
        if slot.closed {
            return Err(sqlx::Error::PoolClosed.into());
        }
        let mut open = match slot.open.take() {
            Some(open) if self.file.is_open_in(now().duration_since(open.since)) => open,
            old => {
                if let Some(old) = old {
                    let _ = old.connection.close().await;
                }
                let since = now();
                self.made.fetch_add(1, Ordering::Relaxed);
                Open { connection: self.options.connect().await?, since }
            }
        };
        let done = together.run(&mut open.connection).await;
        match done {
            Ok(_) => slot.open = Some(open),
            // Whatever it is in, it is in no longer.
            Err(_) => {
                let _ = open.connection.close().await;
            }
        }
        done
    }

    /// How often the connection was made.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// The write-ahead log of its file.
    pub(super) fn log(&self) -> PathBuf {
        let mut log = self.options.get_filename().as_os_str().to_owned();
        log.push("-wal");
        log.into()
    }

    /// Another one to the same file.
    pub(super) fn another(&self) -> Self {
        Self::new(self.options.clone(), self.file.clone())
    }

    /// Closes it when it is not in use any more, for good.
    pub(super) async fn close(&self) {
        let mut slot = self.slot.lock().await;
        slot.closed = true;
        if let Some(open) = slot.open.take() {
            let _ = open.connection.close().await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the age of a connection is told by this clock")]
fn now() -> Instant {
    Instant::now()
}
