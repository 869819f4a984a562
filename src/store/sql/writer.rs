//! The connection to SQLite that is written through.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use sea_orm::sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool,
    sqlite::SqliteConnectOptions,
};

use super::{
    failure::Failure,
    same_file::SameFile,
    together::{Done, Together},
};

/// Where statements that write are run.
#[derive(Debug)]
pub(super) enum Writer {
    /// On a connection of the store's own. A pool would have each connection that comes back say that
    /// it is alive, which is as far a way as that of the statements.
    Own(Own),
    /// On one of those that there are: a database in memory has only these, and so has an application.
    Pooled(SqlitePool),
}

/// A connection that is kept between writes.
#[derive(Debug)]
pub(super) struct Own {
    options: SqliteConnectOptions,
    file: Arc<SameFile>,
    idle: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    connection: SqliteConnection,
    since: Instant,
}

impl Writer {
    pub(super) fn own(options: SqliteConnectOptions, file: Arc<SameFile>) -> Self {
        Self::Own(Own { options, file, idle: Mutex::default() })
    }

    /// Runs statements to their end. What is dropped before that leaves nothing, and costs the
    /// connection.
    pub(super) async fn run(&self, together: &Together) -> Result<Done, Failure> {
        match self {
            Self::Own(own) => own.run(together).await,
            Self::Pooled(pool) => {
                let mut connection = pool.acquire().await?;
                let done = together.run(&mut connection).await;
                if done.is_err() {
                    // An error itself where there is no transaction.
                    let _ = sea_orm::sqlx::query("ROLLBACK").execute(&mut *connection).await;
                }
                done
            }
        }
    }

    pub(super) async fn close(&self) {
        if let Self::Own(own) = self
            && let Some(open) = own.take()
        {
            let _ = open.connection.close().await;
        }
    }
}

impl Own {
    async fn run(&self, together: &Together) -> Result<Done, Failure> {
        let mut open = match self.take() {
            Some(open) if self.file.is_open_in(now().duration_since(open.since)) => open,
            old => {
                if let Some(old) = old {
                    let _ = old.connection.close().await;
                }
                let since = now();
                Open { connection: self.options.connect().await?, since }
            }
        };
        let done = together.run(&mut open.connection).await;
        match done {
            Ok(_) => *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(open),
            // Whatever it is in, it is in no longer.
            Err(_) => {
                let _ = open.connection.close().await;
            }
        }
        done
    }

    fn take(&self) -> Option<Open> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[expect(clippy::disallowed_methods, reason = "the age of a connection is told by this clock")]
fn now() -> Instant {
    Instant::now()
}
