//! How SQLite is written to: one write at a time, and each to its end once it began.

use std::{future::Future, pin::pin, sync::Arc};

use futures_util::future::{BoxFuture, Either, select};
use sea_orm::{
    DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};
use tokio::sync::oneshot;

use super::{
    db::{Db, Pause},
    failure::Failure,
    options::unsupported,
    together::{Done, Together},
    urgency::Urgency,
};
use crate::store::StoreError;

impl Db {
    /// Runs a transaction that holds the lock for writing from its beginning, where what is written
    /// depends on what is read.
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

    /// Runs statements together.
    pub(super) async fn write_together(
        &self,
        operation: &'static str,
        urgency: Urgency,
        together: Together,
    ) -> Result<Done, StoreError> {
        let writer = self.sqlite_writer.clone().ok_or_else(|| unsupported(self.backend))?;
        let together = Arc::new(together);
        let attempt = move || {
            let (writer, together) = (writer.clone(), together.clone());
            async move { writer.run(&together).await }
        };
        self.to_its_end(operation, urgency, attempt).await
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
        let writer = self.sqlite_writer.clone();
        let mut mender = self.mender();
        runtime.spawn(async move {
            let entering = pin!(gate.enter(urgency));
            let entered = match select(pin!(reply.closed()), entering).await {
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
                break;
            }
            drop(entered);
            if let Some(writer) = writer {
                writer.after().await;
            }
        });
        self.in_time(operation, async {
            answer
                .await
                .unwrap_or_else(|closed| Err(StoreError::unavailable(operation, closed).into()))
        })
        .await
    }
}
