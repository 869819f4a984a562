//! The connections, and how a statement is run: in time, again where a lock was in the way, and to
//! its end once it began.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, Either, select};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, ExecResult, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::{oneshot, watch};

use super::{
    failure::Failure,
    gate::{Gate, Urgency},
    statement::Sql,
};
use crate::store::StoreError;

/// A database.
#[derive(Debug)]
pub(super) struct Db {
    /// On SQLite the one connection that writes.
    pub(super) writer: DatabaseConnection,
    /// On Postgres, and where there is only one connection, the same as the writer.
    pub(super) readers: DatabaseConnection,
    pub(super) backend: DbBackend,
    /// Whether the writer is one connection, and no one else's.
    pub(super) own_writer: bool,
    pub(super) timeout: Duration,
    /// How often a watcher looks; none where nobody else can write.
    pub(super) poll_interval: Option<Duration>,
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
    fn mender(&self) -> super::mend::Mender {
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
        self.write_as(operation, Urgency::Transition, sql, |writer, statement| {
            Box::pin(async move { Ok(writer.query_all_raw(statement).await?) })
        })
        .await
    }

    /// The same on Postgres, and what went wrong as the database said it.
    pub(super) async fn try_write(&self, sql: Sql) -> Result<Vec<QueryResult>, Failure> {
        let statement = self.statement(sql);
        let writing = again(|| async {
            Ok::<_, Failure>(self.writer.query_all_raw(statement.clone()).await?)
        });
        tokio::time::timeout(self.timeout, writing)
            .await
            .unwrap_or_else(|_| Err(StoreError::timed_out("write", self.timeout).into()))
    }

    /// Runs one statement that writes. Returns how many rows it wrote.
    pub(super) async fn execute(
        &self,
        operation: &'static str,
        urgency: Urgency,
        sql: Sql,
    ) -> Result<u64, StoreError> {
        let done: ExecResult = self
            .write_as(operation, urgency, sql, |writer, statement| {
                Box::pin(async move { Ok(writer.execute_raw(statement).await?) })
            })
            .await?;
        Ok(done.rows_affected())
    }

    async fn write_as<T: Send + 'static>(
        &self,
        operation: &'static str,
        urgency: Urgency,
        sql: Sql,
        run: fn(DatabaseConnection, Statement) -> BoxFuture<'static, Result<T, Failure>>,
    ) -> Result<T, StoreError> {
        let statement = self.statement(sql);
        let writer = self.writer.clone();
        let attempt = move || run(writer.clone(), statement.clone());
        if self.backend == DbBackend::Sqlite {
            self.to_its_end(operation, urgency, attempt).await
        } else {
            // One statement may be given up at any point: the connection is told before it is used
            // again.
            self.in_time(operation, again(attempt)).await
        }
    }

    /// Runs a transaction that holds the lock for writing from its beginning. Only for SQLite: on
    /// Postgres everything is one statement, since a transaction costs three times that.
    pub(super) async fn transaction<T: Send + 'static>(
        &self,
        operation: &'static str,
        urgency: Urgency,
        body: impl for<'t> Fn(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, Failure>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, StoreError> {
        let (writer, body) = (self.writer.clone(), Arc::new(body));
        let attempt = move || {
            let (writer, body) = (writer.clone(), body.clone());
            async move {
                let options = TransactionOptions {
                    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                    ..TransactionOptions::default()
                };
                let transaction = writer.begin_with_options(options).await?;
                match body(&transaction).await {
                    Ok(done) => {
                        transaction.commit().await?;
                        Ok(done)
                    }
                    Err(failure) => {
                        // What went wrong first is what is told; a connection that cannot go back is
                        // not used again.
                        let _ = transaction.rollback().await;
                        Err(failure)
                    }
                }
            }
        };
        self.to_its_end(operation, urgency, attempt).await
    }

    /// Runs statements that are a transaction in one text: one way to the thread of the connection
    /// and back instead of one a statement. Only where all writes go through one connection of the
    /// store's own, which is then the one that is rolled back.
    pub(super) async fn write_together(
        &self,
        operation: &'static str,
        sql: Sql,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let (writer, statement) = (self.writer.clone(), self.statement(sql));
        let attempt = move || {
            let (writer, statement) = (writer.clone(), statement.clone());
            async move {
                match writer.query_all_raw(statement).await {
                    Ok(rows) => Ok(rows),
                    Err(error) => {
                        // An error itself where the transaction could not even begin.
                        let _ = writer.execute_unprepared("ROLLBACK").await;
                        Err(error.into())
                    }
                }
            }
        };
        self.to_its_end(operation, Urgency::Transition, attempt).await
    }

    /// Runs attempts in a task of their own, so that one that began is not cut off when the caller
    /// goes away. None begins after that.
    async fn to_its_end<T, F>(
        &self,
        operation: &'static str,
        urgency: Urgency,
        mut attempt: impl FnMut() -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|error| StoreError::unavailable(operation, error))?;
        let (mut reply, answer) = oneshot::channel();
        let gate = self.gate.clone();
        let mut mender = self.mender();
        runtime.spawn(async move {
            let entering = pin!(gate.enter(urgency));
            let _entered = match select(pin!(reply.closed()), entering).await {
                Either::Left(_) => return,
                Either::Right((entered, _)) => entered,
            };
            let mut pause = Pause::default();
            while !reply.is_closed() {
                let done = attempt().await;
                if let Err(failure) = &done {
                    if failure.is_busy() {
                        pause.next().await;
                        continue;
                    }
                    if mender.mends(failure).await {
                        continue;
                    }
                }
                // Nobody waits for it any more: it is done all the same.
                let _ = reply.send(done);
                return;
            }
        });
        self.in_time(operation, async {
            answer
                .await
                .unwrap_or_else(|closed| Err(StoreError::unavailable(operation, closed).into()))
        })
        .await
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
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(1))
    }
}

impl Pause {
    async fn next(&mut self) {
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
