//! Whether a SQLite file was written to, found out without reading it.

use std::{
    path::PathBuf,
    pin::pin,
    time::{Duration, SystemTime},
};

use sea_orm::QueryResult;

use futures_util::future::{pending, select};

use super::{
    db::Db, failure::Failure, file_hints::FileHints, kept::Kept, statement::Sql, together::Together,
};
use crate::store::StoreError;

/// How many looks at the file there are from one that asks the database to the next.
const LOOKS: u32 = 10;
/// How many times as long the interval is where the platform tells.
const SELDOM: u32 = 5;
/// How long after a hint it is looked, so that the writes of one commit are seen together.
const TOGETHER: Duration = Duration::from_millis(1);

/// Is told of writes to the write-ahead log where the platform tells; looks at it from outside at an
/// interval, which costs next to nothing and sees each write where the file system notes the times of
/// writes well; and every few looks at `PRAGMA data_version`, which moves when another connection
/// commits. It is counted for each connection, so this one is not shared.
#[derive(Debug)]
pub(super) struct Glance {
    connection: Kept,
    log: PathBuf,
    hints: Option<FileHints>,
    looks: u32,
    /// When the log was written to, and how long it was.
    written: Option<(SystemTime, u64)>,
    /// Whether the last look saw a write: one in the same tick of the clock would not be seen.
    again: bool,
    /// Which connection it was, and what it saw.
    seen: Option<(u64, i64)>,
}

impl Glance {
    pub(super) fn new(connection: Kept) -> Self {
        let log = connection.log();
        let hints = FileHints::of(&log);
        Self { connection, log, hints, looks: 0, written: None, again: false, seen: None }
    }

    /// Waits for a commit, looking at the interval. An error is one too: whoever looks closer is told.
    pub(super) async fn committed(&mut self, db: &Db, interval: Duration) {
        loop {
            self.due(interval).await;
            let written = self.is_log_written();
            if written || std::mem::take(&mut self.again) {
                self.again = written;
                return;
            }
            self.looks = self.looks.wrapping_add(1);
            if !self.looks.is_multiple_of(LOOKS) {
                continue;
            }
            let now = db.in_time("watch", self.look()).await.ok();
            if now.is_none() || std::mem::replace(&mut self.seen, now) != now {
                return;
            }
        }
    }

    /// Waits until it is time to look.
    async fn due(&self, interval: Duration) {
        let hint = async {
            match &self.hints {
                Some(hints) => {
                    hints.written().await;
                    tokio::time::sleep(TOGETHER).await;
                }
                None => pending().await,
            }
        };
        let interval = if self.hints.is_some() { interval * SELDOM } else { interval };
        select(pin!(tokio::time::sleep(interval)), pin!(hint)).await;
    }

    fn is_log_written(&mut self) -> bool {
        let metadata = std::fs::metadata(&self.log).ok();
        let now = metadata.and_then(|it| Some((it.modified().ok()?, it.len())));
        std::mem::replace(&mut self.written, now) != now
    }

    async fn look(&self) -> Result<(u64, i64), Failure> {
        let version = Together::one(Sql::new("PRAGMA data_version"))?;
        let done = self.connection.run(&version).await?;
        let row = done.rows.into_iter().next().map(QueryResult::from);
        let version = row.and_then(|row| row.try_get_by_index::<i32>(0).ok());
        let version =
            version.ok_or_else(|| StoreError::corrupt("the database", "-", "no version"))?;
        Ok((self.connection.made(), version.into()))
    }
}
