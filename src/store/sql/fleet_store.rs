//! Where the processes of a fleet meet.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    instances,
    row::number,
    statement::{Dialect as _, Sql},
    store::SqlStore,
    urgency::Urgency,
};
use crate::store::{ChangeId, FleetStore, InstanceRow, NamedLease, RunId, StoreError, ids::micros};

const LEASES: &str = "circuit_breaker_leases";

#[async_trait]
impl FleetStore for SqlStore {
    async fn lease(
        &self,
        name: &str,
        owner: RunId,
        term: Duration,
    ) -> Result<Option<NamedLease>, StoreError> {
        NamedLease::check_name(name)?;
        let token = ChangeId::random().get();
        let mut sql = Sql::new(format!(
            "INSERT INTO {LEASES} AS held (name, token, owner, term_micros, expires_at) VALUES ("
        ));
        sql.bind_all([name.into(), number(token).into(), number(owner.get()).into()]);
        sql.push(", ").bind(micros(term)).push(", ");
        self.push_expiry(&mut sql, term);
        sql.push(
            ") ON CONFLICT (name) DO UPDATE SET token = excluded.token, owner = excluded.owner, \
             term_micros = excluded.term_micros, expires_at = excluded.expires_at \
             WHERE held.expires_at <= ",
        );
        sql.push(self.db.backend.now());
        let taken = self.db.execute("lease", Urgency::Transition, sql).await? > 0;
        Ok(taken.then(|| NamedLease::new(name.to_owned(), token, owner, term)))
    }

    async fn renew(&self, lease: &NamedLease) -> Result<bool, StoreError> {
        let mut sql = Sql::new(format!("UPDATE {LEASES} SET term_micros = "));
        sql.bind(micros(lease.term)).push(", expires_at = ");
        self.push_expiry(&mut sql, lease.term);
        push_held(&mut sql, lease);
        Ok(self.db.execute("renew", Urgency::Transition, sql).await? > 0)
    }

    async fn release(&self, lease: &NamedLease) -> Result<bool, StoreError> {
        let mut sql = Sql::new(format!("DELETE FROM {LEASES}"));
        push_held(&mut sql, lease);
        Ok(self.db.execute("release", Urgency::Transition, sql).await? > 0)
    }

    async fn publish(&self, row: &InstanceRow) -> Result<(), StoreError> {
        row.check()?;
        let publish = instances::publish(self.db.backend, row)?;
        self.db.execute("publish", Urgency::Transition, publish).await?;
        Ok(())
    }

    async fn instances(&self, age: Duration) -> Result<Vec<InstanceRow>, StoreError> {
        let select = instances::select(self.db.backend, micros(age));
        self.db.read("instances", select).await?.iter().map(instances::instance).collect()
    }

    async fn retire(&self, run: RunId) -> Result<(), StoreError> {
        self.db.execute("retire", Urgency::Transition, instances::retire(run)).await?;
        Ok(())
    }

    async fn forget_instances(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        let backend = self.db.backend;
        let forget = instances::forget(backend, micros(age), at_most);
        let forgotten = self.db.execute("forget_instances", Urgency::Batch, forget).await?;
        let ids = instances::forget_ids(backend, at_most);
        self.db.execute("forget_instances", Urgency::Batch, ids).await?;
        Ok(forgotten)
    }
}

impl SqlStore {
    /// When a term ends that begins now.
    fn push_expiry(&self, sql: &mut Sql, term: Duration) {
        let backend = self.db.backend;
        // Half of all times, so that the sum is one too.
        let term = micros(term).min(i64::MAX / 2);
        sql.push(backend.now()).push(" + ").bind(term);
    }
}

fn push_held(sql: &mut Sql, lease: &NamedLease) {
    sql.push(" WHERE name = ").bind(lease.name.as_str());
    sql.push(" AND token = ").bind(number(lease.token));
}
