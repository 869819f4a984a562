//! The states of circuits.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use sea_orm::{DbBackend, QueryResult};

use super::{
    options::unsupported, statement::Dialect as _, statement::Sql, states, store::SqlStore,
    urgency::Urgency, watch,
};
use crate::{
    name::ServiceName,
    store::{
        ChangeHint, CircuitRecord, Committed, Cursor, EventRecord, Expected, Loaded, StateStore,
        StoreError, Stored, Timestamp, ids::micros,
    },
};

#[async_trait]
impl StateStore for SqlStore {
    async fn load(&self, service: &ServiceName) -> Result<Option<Stored>, StoreError> {
        let rows = self.db.read("load", states::select_one(self.db.backend, service)).await?;
        rows.first().map(states::stored).transpose()
    }

    async fn load_all(&self, since: Option<Cursor>) -> Result<Loaded, StoreError> {
        let Some(Cursor(since)) = since else {
            // A newer version of the crate may have been at the tables since they were last looked at.
            self.pending_migrations().await?;
            return self.load_since(None).await;
        };
        let since = Some(i64::try_from(since).unwrap_or(i64::MAX));
        let loaded = self.load_since(since).await?;
        // The database is another one than that of the cursor, or an older copy.
        let stands = i64::try_from(loaded.cursor.0).unwrap_or(i64::MAX);
        if since.is_some_and(|since| since > stands) {
            return self.load_since(None).await;
        }
        Ok(loaded)
    }

    async fn compare_and_swap(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Committed, StoreError> {
        next.check_write(expected)?;
        if let Some(event) = event {
            event.check()?;
        }
        let written = match self.db.backend {
            #[cfg(feature = "sqlite")]
            DbBackend::Sqlite => self.swap_together(expected, next, event).await?,
            #[cfg(feature = "postgres")]
            DbBackend::Postgres => self.swap_in_one_statement(expected, next, event).await?,
            other => return Err(unsupported(other)),
        };
        match written {
            Some(at) => {
                self.db.wrote();
                Ok(Committed::new(next.version(expected.lane), at))
            }
            None => {
                Err(StoreError::conflict(self.current("compare_and_swap", &next.service).await?))
            }
        }
    }

    async fn remove(&self, service: &ServiceName, expected: Expected) -> Result<(), StoreError> {
        if let Some(version) = expected.version {
            let mut sql = Sql::new("");
            let backend = self.db.backend;
            if backend == DbBackend::Postgres {
                sql.push("WITH written AS (");
                states::push_entomb(&mut sql, backend, service, expected.lane, version);
                sql.push(&format!(") SELECT {NOTIFY} FROM written"));
            } else {
                states::push_entomb(&mut sql, backend, service, expected.lane, version);
            }
            if !self.db.write("remove", sql).await?.is_empty() {
                self.db.wrote();
                return Ok(());
            }
        }
        Err(StoreError::conflict(self.current("remove", service).await?))
    }

    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        const OPERATION: &str = "forget_tombstones";
        let backend = self.db.backend;
        let mut delete = Sql::new(format!(
            "DELETE FROM {table} WHERE removed_at IS NOT NULL AND service_name IN \
             (SELECT service_name FROM {table} WHERE removed_at <= {now} - ",
            table = states::TABLE,
            now = backend.now()
        ));
        delete.bind(micros(age)).push(" ORDER BY removed_at LIMIT ");
        delete.bind(i64::from(at_most)).push(")");
        match backend {
            #[cfg(feature = "sqlite")]
            DbBackend::Sqlite => self.forget_together(OPERATION, delete).await,
            _ => self.db.execute(OPERATION, Urgency::Batch, delete).await,
        }
    }

    fn watch(&self) -> BoxStream<'static, ChangeHint> {
        watch::stream(self.db.clone())
    }
}

impl SqlStore {
    async fn load_since(&self, since: Option<i64>) -> Result<Loaded, StoreError> {
        let rows = self.db.read("load_all", states::select_since(self.db.backend, since)).await?;
        let mut loaded = Loaded::default();
        for row in &rows {
            loaded.cursor = Cursor(states::stands(row)?.unsigned_abs());
            if states::is_blank(row) {
                continue;
            }
            match states::stored(row) {
                Ok(stored) => loaded.stored.push(stored),
                Err(error) => loaded.corrupt.push(error),
            }
        }
        Ok(loaded)
    }

    /// What a write that lost is shown.
    async fn current(
        &self,
        operation: &'static str,
        service: &ServiceName,
    ) -> Result<Option<Stored>, StoreError> {
        let rows = self.db.read(operation, states::select_one(self.db.backend, service)).await?;
        rows.first().map(states::stored).transpose()
    }
}

pub(super) const OPERATION: &str = "compare_and_swap";

/// Tells of the row that `written` returned.
pub(super) const NOTIFY: &str = "pg_notify('circuit_breaker_changes', service_name)";

pub(super) fn written_at(row: &QueryResult) -> Result<Timestamp, StoreError> {
    let at = row.try_get::<i64>("", "at").ok().and_then(Timestamp::from_micros);
    at.ok_or_else(|| StoreError::corrupt("the database", "-", "its clock is before 1970"))
}
