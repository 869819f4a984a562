//! The states of circuits.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, QueryResult, Value};

use super::{
    events, failure::Failure, gate::Urgency, instances, row::Row, row::json,
    statement::Dialect as _, statement::Sql, states, store::SqlStore, watch,
};
use crate::{
    name::ServiceName,
    store::{
        ChangeHint, CircuitRecord, Committed, Cursor, EventRecord, Expected, Extra, Loaded,
        StateStore, StoreError, Stored, Timestamp, ids::micros,
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
            DbBackend::Sqlite => self.swap_in_transaction(expected, next, event).await?,
            _ => self.swap_in_one_statement(expected, next, event).await?,
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
        if backend == DbBackend::Postgres {
            return self.db.execute(OPERATION, Urgency::Batch, delete).await;
        }
        // The highest cursor may go with them, and must not be given out again.
        let note = self.db.statement(Sql::new(format!(
            "UPDATE circuit_breaker_cursor SET deleted = {} - 1 WHERE id = 1",
            states::next_cursor(backend)
        )));
        let delete = self.db.statement(delete);
        self.db
            .transaction(OPERATION, Urgency::Batch, move |transaction| {
                let (note, delete) = (note.clone(), delete.clone());
                Box::pin(async move {
                    transaction.execute_raw(note).await?;
                    Ok(transaction.execute_raw(delete).await?.rows_affected())
                })
            })
            .await
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

    /// On Postgres: the row, its event and the notification, or none of them.
    async fn swap_in_one_statement(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let backend = self.db.backend;
        let extra = (!next.extra.is_empty()).then(|| json(&next.extra));
        let mut sql = Sql::new("WITH written AS (");
        states::push_write(&mut sql, backend, expected, next, extra);
        sql.push(")");
        if let Some(event) = event {
            sql.push(", noted AS (");
            events::push_insert(&mut sql, event, " FROM written WHERE TRUE");
            sql.push(")");
        }
        sql.push(&format!(" SELECT at, {NOTIFY} FROM written"));
        let rows = match (self.db.try_write(sql.clone()).await, event) {
            (Err(failure), Some(event)) if failure.is_missing_value() => {
                let register = instances::register(backend, &[event.id.run]);
                self.db.execute(OPERATION, Urgency::Transition, register).await?;
                self.db.write(OPERATION, sql).await?
            }
            (rows, _) => rows.map_err(|failure| failure.at(OPERATION))?,
        };
        rows.first().map(written_at).transpose()
    }

    /// On SQLite: the row and its event, or none of them.
    async fn swap_in_transaction(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let backend = self.db.backend;
        let keeps_extra = next.extra.is_empty() || expected.version.is_none();
        if keeps_extra && event.is_none() {
            let mut sql = Sql::new("");
            states::push_write(&mut sql, backend, expected, next, None);
            let rows = self.db.write(OPERATION, sql).await?;
            return rows.first().map(written_at).transpose();
        }
        if keeps_extra
            && self.db.own_writer
            && let Some(event) = event
        {
            let mut sql = Sql::new("BEGIN IMMEDIATE; ");
            instances::push_register(&mut sql, backend, event.id.run);
            sql.push("; ");
            states::push_write(&mut sql, backend, expected, next, None);
            sql.push("; ");
            // Of the statement before: whether the row was written.
            events::push_insert(&mut sql, event, " WHERE changes() > 0");
            sql.push("; COMMIT");
            let rows = self.db.write_together(OPERATION, sql).await?;
            return rows.first().map(written_at).transpose();
        }
        let (next, event) = (next.clone(), event.cloned());
        self.db
            .transaction(OPERATION, Urgency::Transition, move |transaction| {
                let (next, event) = (next.clone(), event.clone());
                Box::pin(swap(transaction, expected, next, event))
            })
            .await
    }
}

const OPERATION: &str = "compare_and_swap";

/// Tells of the row that `written` returned.
const NOTIFY: &str = "pg_notify('circuit_breaker_changes', service_name)";

async fn swap(
    transaction: &DatabaseTransaction,
    expected: Expected,
    next: CircuitRecord,
    event: Option<EventRecord>,
) -> Result<Option<Timestamp>, Failure> {
    let backend = transaction.get_database_backend();
    let extra = if next.extra.is_empty() || expected.version.is_none() {
        None
    } else {
        Some(merged_extra(transaction, &next).await?)
    };
    let mut sql = Sql::new("");
    states::push_write(&mut sql, backend, expected, &next, extra);
    let Some(row) = transaction.query_one_raw(sql.on(backend)).await? else {
        return Ok(None);
    };
    if let Some(event) = event {
        let instance = instances::id_of(transaction, event.id.run).await?;
        let insert = events::insert(std::iter::once((instance, &event)));
        transaction.execute_raw(insert.on(backend)).await?;
    }
    Ok(Some(written_at(&row)?))
}

/// What is there, with the keys of `next` over it.
async fn merged_extra(
    transaction: &DatabaseTransaction,
    next: &CircuitRecord,
) -> Result<Value, Failure> {
    let backend = transaction.get_database_backend();
    let mut select = Sql::new(format!(
        "SELECT service_name, CAST(extra AS TEXT) FROM {} WHERE service_name = ",
        states::TABLE
    ));
    select.bind(next.service.as_str());
    let mut extra = Extra::new();
    if let Some(row) = transaction.query_one_raw(select.on(backend)).await? {
        let row = Row::keyed(states::TABLE, &row);
        row.text("service_name")?;
        extra = row.data("extra")?;
    }
    extra.extend(next.extra.clone());
    Ok(json(&extra))
}

fn written_at(row: &QueryResult) -> Result<Timestamp, StoreError> {
    let at = row.try_get::<i64>("", "at").ok().and_then(Timestamp::from_micros);
    at.ok_or_else(|| StoreError::corrupt("the database", "-", "its clock is before 1970"))
}
