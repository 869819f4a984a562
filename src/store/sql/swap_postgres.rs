//! A transition on Postgres.

use super::{
    events, instances,
    row::json,
    state_store::{NOTIFY, OPERATION, written_at},
    statement::Sql,
    states,
    store::SqlStore,
    urgency::Urgency,
};
use crate::store::{CircuitRecord, EventRecord, Expected, StoreError, Timestamp};

impl SqlStore {
    /// The row, its event and the notification, or none of them.
    pub(super) async fn swap_in_one_statement(
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
        let rows = match (self.db.try_write(OPERATION, sql.clone()).await, event) {
            (Err(failure), Some(event)) if failure.is_missing_value() => {
                let register = instances::register(backend, &[event.id.run]);
                self.db.execute(OPERATION, Urgency::Transition, register).await?;
                self.db.write(OPERATION, sql).await?
            }
            (rows, _) => rows.map_err(|failure| failure.at(OPERATION))?,
        };
        rows.first().map(written_at).transpose()
    }
}
