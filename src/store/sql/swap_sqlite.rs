//! The writes of states on SQLite that are more than one statement.

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, Value};

use super::{
    events,
    failure::Failure,
    instances,
    row::{Row, json},
    state_store::{OPERATION, written_at},
    statement::Sql,
    states,
    store::SqlStore,
    together::Together,
    urgency::Urgency,
};
use crate::store::{CircuitRecord, EventRecord, Expected, Extra, StoreError, Timestamp};

impl SqlStore {
    /// The row and its event, or none of them.
    pub(super) async fn swap_together(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let backend = self.db.backend;
        if next.extra.is_empty() || expected.version.is_none() {
            let mut write = Sql::unnamed("");
            states::push_write(&mut write, backend, expected, next, None);
            let Some(event) = event else {
                let rows = self.db.write(OPERATION, write).await?;
                return rows.first().map(written_at).transpose();
            };
            let mut together = Together::transaction();
            together.add(instances::register_one(backend, event.id.run))?;
            together.add(write)?;
            let mut insert = Sql::unnamed("");
            // Of the statement before: whether the row was written.
            events::push_insert(&mut insert, event, " WHERE changes() > 0");
            together.add(insert)?;
            let done = self.db.write_together(OPERATION, Urgency::Transition, together).await?;
            return done.rows.into_iter().next().map(|row| written_at(&row.into())).transpose();
        }
        let (next, event) = (next.clone(), event.cloned());
        self.db
            .transaction(OPERATION, Urgency::Transition, move |transaction| {
                let (next, event) = (next.clone(), event.clone());
                Box::pin(swap(transaction, expected, next, event))
            })
            .await
    }

    /// Deletes rows of states. The highest cursor may go with them, and must not be given out again.
    pub(super) async fn forget_together(
        &self,
        operation: &'static str,
        delete: Sql,
    ) -> Result<u64, StoreError> {
        let mut together = Together::transaction();
        together.add(Sql::new(format!(
            "UPDATE circuit_breaker_cursor SET deleted = {} - 1 WHERE id = 1",
            states::next_cursor(self.db.backend)
        )))?;
        let delete = together.add(delete)?;
        let done = self.db.write_together(operation, Urgency::Batch, together).await?;
        Ok(done.changes([delete]))
    }
}

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
        let register = instances::register_one(backend, event.id.run);
        transaction.execute_raw(register.on(backend)).await?;
        let mut insert = Sql::new("");
        events::push_insert(&mut insert, &event, " WHERE TRUE");
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
