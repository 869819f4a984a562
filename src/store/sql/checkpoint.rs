//! Copies what the write-ahead log of SQLite holds into the file, while others write.
//!
//! SQLite does that at the end of the write that makes the log long, and whoever wants to write next
//! waits for two syncs of a disk. A connection that only copies keeps nobody waiting.

use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{QueryResult, sqlx::sqlite::SqliteConnectOptions};

use super::{kept::Kept, statement::Sql, together::Together};

/// How many pages are worth the syncs: as many as SQLite takes.
const PAGES: i64 = 1_000;

/// The pages at which the write that finds them copies them after all: 64 MiB. The log begins anew
/// only when all of it was copied, which never is while writes come one upon the other.
const PAGES_AT_MOST: &str = "16000";

/// How many writes there are from look to look.
const WRITES: u32 = 8;

/// See the [module docs](self).
#[derive(Debug)]
pub(super) struct Checkpointer {
    connection: Kept,
    writes: AtomicU32,
    /// Held by the one that copies.
    copying: tokio::sync::Mutex<()>,
}

/// What the connections of a file with a checkpointer have in common.
pub(super) fn rarely(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options.pragma("wal_autocheckpoint", PAGES_AT_MOST)
}

impl Checkpointer {
    pub(super) fn new(connection: Kept) -> Self {
        Self { connection, writes: AtomicU32::new(0), copying: tokio::sync::Mutex::default() }
    }

    /// Copies if there is enough. A copy that fails is tried again later, and by SQLite itself.
    pub(super) async fn after_a_write(&self) {
        if self.writes.fetch_add(1, Ordering::Relaxed) % WRITES != WRITES - 1 {
            return;
        }
        let Ok(_copying) = self.copying.try_lock() else { return };
        if self.pages("NOOP").await.is_some_and(|pages| pages >= PAGES) {
            self.pages("PASSIVE").await;
        }
    }

    pub(super) async fn close(&self) {
        self.connection.close().await;
    }

    /// How many pages were left to be copied at the end of a checkpoint.
    async fn pages(&self, how: &str) -> Option<i64> {
        let checkpoint = Together::one(Sql::new(format!("PRAGMA wal_checkpoint({how})"))).ok()?;
        let row = self.connection.run(&checkpoint).await.ok()?.rows.into_iter().next()?;
        let row = QueryResult::from(row);
        let (log, copied): (i64, i64) =
            (row.try_get_by_index(1).ok()?, row.try_get_by_index(2).ok()?);
        Some(log - copied)
    }
}
