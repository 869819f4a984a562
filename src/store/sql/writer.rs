//! The connection to SQLite that is written through.

use std::sync::Arc;

use sea_orm::sqlx::{SqlitePool, sqlite::SqliteConnectOptions};

use super::{
    checkpoint::Checkpointer,
    failure::Failure,
    kept::Kept,
    same_file::SameFile,
    together::{Done, Together},
};

/// Where statements that write are run.
#[derive(Debug)]
pub(super) enum Writer {
    /// On a connection of the store's own. A pool would have each connection that comes back say that
    /// it is alive, which is as far a way as that of the statements.
    Own(Box<Own>),
    /// On one of those that there are: a database in memory has only these, and so has an application.
    Pooled(SqlitePool),
}

/// A connection of the store's own, and the one that copies back what it wrote.
#[derive(Debug)]
pub(super) struct Own {
    writes: Kept,
    checkpoints: Checkpointer,
}

impl Writer {
    pub(super) fn own(options: SqliteConnectOptions, file: Arc<SameFile>) -> Self {
        let checkpoints = Checkpointer::new(Kept::new(options.clone(), file.clone()));
        Self::Own(Box::new(Own { writes: Kept::new(options, file), checkpoints }))
    }

    /// Runs statements to their end. What is dropped before that leaves nothing, and costs the
    /// connection.
    pub(super) async fn run(&self, together: &Together) -> Result<Done, Failure> {
        match self {
            Self::Own(own) => own.writes.run(together).await,
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

    /// Another connection like that which writes.
    pub(super) fn another(&self) -> Option<Kept> {
        match self {
            Self::Own(own) => Some(own.writes.another()),
            Self::Pooled(_) => None,
        }
    }

    /// What is to be done after a write, while others write.
    pub(super) async fn after(&self) {
        if let Self::Own(own) = self {
            own.checkpoints.after_a_write().await;
        }
    }

    pub(super) async fn close(&self) {
        if let Self::Own(own) = self {
            own.checkpoints.close().await;
            own.writes.close().await;
        }
    }
}
