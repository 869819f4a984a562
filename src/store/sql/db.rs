//! The connections, and how a statement is run: in time, and again where a lock was in the way.

#[cfg(feature = "sqlite")]
use std::sync::Arc;
use std::{future::Future, time::Duration};

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, QueryResult, Statement};
use tokio::sync::watch;

use super::{failure::Failure, statement::Sql, urgency::Urgency};
#[cfg(feature = "sqlite")]
use super::{gate::Gate, together::Together, writer::Writer};
use crate::store::StoreError;

/// A database.
#[derive(Debug)]
pub(super) struct Db {
    /// On SQLite what is rarely written goes through it: migrations, and what has to be read first.
    pub(super) writer: DatabaseConnection,
    /// On Postgres, and where there is only one connection, the same as the writer.
    pub(super) readers: DatabaseConnection,
    pub(super) backend: DbBackend,
    /// What SQLite is written through otherwise; none on Postgres.
    #[cfg(feature = "sqlite")]
    pub(super) sqlite_writer: Option<Arc<Writer>>,
    pub(super) timeout: Duration,
    /// How often a watcher looks; none where nobody else can write.
    pub(super) poll_interval: Option<Duration>,
    #[cfg(feature = "sqlite")]
    pub(super) gate: Arc<Gate>,
    /// Tells the watchers of this process that it wrote.
    pub(super) written: watch::Sender<()>,
    /// Whether tables are created that are missing.
    #[cfg(feature = "sqlite")]
    pub(super) creates_tables: bool,
    /// The file of a SQLite database.
    #[cfg(feature = "sqlite")]
    pub(super) file: Option<Arc<super::same_file::SameFile>>,
    /// Where a Postgres watcher takes its connection from.
    #[cfg(feature = "postgres")]
    pub(super) listeners: Option<sea_orm::sqlx::PgPool>,
}

impl Db {
    pub(super) fn statement(&self, sql: Sql) -> Statement {
        sql.on(self.backend)
    }

    /// Reads.
    pub(super) async fn read(
        &self,
        operation: &'static str,
        sql: Sql,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let statement = self.statement(sql);
        let read =
            || async { Ok::<_, Failure>(self.readers.query_all_raw(statement.clone()).await?) };
        let reading = async {
            let mut mender = self.mender();
            loop {
                match again(read).await {
                    Err(failure) if mender.mends(&failure).await => {}
                    answer => return answer,
                }
            }
        };
        self.in_time(operation, reading).await
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn mender(&self) -> super::mend::Mender {
        super::mend::Mender {
            writer: self.writer.clone(),
            file: self.file.clone(),
            creates_tables: self.creates_tables,
        }
    }

    #[cfg(not(feature = "sqlite"))]
    fn mender(&self) -> NoMender {
        NoMender
    }

    /// Runs one statement that writes and returns rows.
    pub(super) async fn write(
        &self,
        operation: &'static str,
        sql: Sql,
    ) -> Result<Vec<QueryResult>, StoreError> {
        #[cfg(feature = "sqlite")]
        if self.backend == DbBackend::Sqlite {
            let one = Together::one(sql)?;
            let done = self.write_together(operation, Urgency::Transition, one).await?;
            return Ok(done.rows.into_iter().map(QueryResult::from).collect());
        }
        self.try_write(operation, sql).await.map_err(|failure| failure.at(operation))
    }

    /// The same on Postgres, and what went wrong as the database said it. It may be given up at any
    /// point: the connection is told before it is used again.
    pub(super) async fn try_write(
        &self,
        operation: &'static str,
        sql: Sql,
    ) -> Result<Vec<QueryResult>, Failure> {
        let statement = self.statement(sql);
        let writing = again(|| async {
            Ok::<_, Failure>(self.writer.query_all_raw(statement.clone()).await?)
        });
        tokio::time::timeout(self.timeout, writing)
            .await
            .unwrap_or_else(|_| Err(StoreError::timed_out(operation, self.timeout).into()))
    }

    /// Runs one statement that writes. Returns how many rows it wrote.
    pub(super) async fn execute(
        &self,
        operation: &'static str,
        #[cfg_attr(not(feature = "sqlite"), expect(unused_variables, reason = "SQLite's alone"))]
        urgency: Urgency,
        sql: Sql,
    ) -> Result<u64, StoreError> {
        #[cfg(feature = "sqlite")]
        if self.backend == DbBackend::Sqlite {
            let done = self.write_together(operation, urgency, Together::one(sql)?).await?;
            return Ok(done.changes([0]));
        }
        let statement = self.statement(sql);
        let writing = again(|| async {
            Ok::<_, Failure>(self.writer.execute_raw(statement.clone()).await?.rows_affected())
        });
        self.in_time(operation, writing).await
    }

    pub(super) async fn in_time<T>(
        &self,
        operation: &'static str,
        future: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(self.timeout, future).await {
            Ok(done) => done.map_err(|failure| failure.at(operation)),
            Err(_) => Err(StoreError::timed_out(operation, self.timeout)),
        }
    }

    /// How often another file was found in the place of the database.
    pub(super) fn replaced(&self) -> u64 {
        #[cfg(feature = "sqlite")]
        if let Some(file) = &self.file {
            return file.changes();
        }
        0
    }

    /// Tells the watchers of this process that it wrote.
    pub(super) fn wrote(&self) {
        self.written.send_replace(());
    }
}

/// Tries again while somebody else holds a lock.
pub(super) async fn again<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut pause = Pause::default();
    loop {
        match attempt().await {
            Err(failure) if failure.is_busy() => pause.next().await,
            done => return done,
        }
    }
}

/// Pauses that grow, with jitter, so that those who met once do not meet again.
#[derive(Debug)]
pub(super) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(1))
    }
}

impl Pause {
    pub(super) async fn next(&mut self) {
        tokio::time::sleep(self.0.mul_f64(0.5 + fastrand::f64())).await;
        self.0 = (self.0 * 2).min(Duration::from_millis(100));
    }
}

/// There is nothing that a client can mend of a server.
#[cfg(not(feature = "sqlite"))]
struct NoMender;

#[cfg(not(feature = "sqlite"))]
impl NoMender {
    #[allow(clippy::unused_async, reason = "as that of SQLite")]
    async fn mends(&mut self, _: &Failure) -> bool {
        false
    }
}
