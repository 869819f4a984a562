//! Where the processes of a fleet meet.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    script,
    store::{RedisStore, micros_text, read},
};
use crate::store::{ChangeId, FleetStore, InstanceRow, NamedLease, RunId, StoreError, Timestamp};

/// How many rows one script deletes.
const AT_ONCE: u32 = 500;

#[async_trait]
impl FleetStore for RedisStore {
    async fn lease(
        &self,
        name: &str,
        owner: RunId,
        term: Duration,
    ) -> Result<Option<NamedLease>, StoreError> {
        NamedLease::check_name(name)?;
        let inner = &self.inner;
        let token = ChangeId::random().get();
        let arguments = [token.to_string(), owner.to_string(), micros_text(term)];
        let arguments = [&arguments[0], &arguments[1], &arguments[2], inner.ttl.as_str()];
        let key = inner.keys.lease(name);
        let answer = inner.link.run("lease", &script::LEASE, &[&key], &arguments).await;
        let said: String = read("lease", self.of_lease(name, answer)?)?;
        match said.as_str() {
            "done" => Ok(Some(NamedLease::new(name.to_owned(), token, owner, term))),
            "held" => Ok(None),
            _ => Err(self.corrupt_lease(name, "since and term must be numbers")),
        }
    }

    async fn renew(&self, lease: &NamedLease) -> Result<bool, StoreError> {
        let inner = &self.inner;
        let (token, term) = (lease.token.to_string(), micros_text(lease.term));
        let key = inner.keys.lease(&lease.name);
        let arguments = [token.as_str(), &term, &inner.ttl];
        let answer = inner.link.run("renew", &script::RENEW, &[&key], &arguments).await;
        read("renew", self.of_lease(&lease.name, answer)?)
    }

    async fn release(&self, lease: &NamedLease) -> Result<bool, StoreError> {
        let token = lease.token.to_string();
        let key = self.inner.keys.lease(&lease.name);
        let answer = self.inner.link.run("release", &script::RELEASE, &[&key], &[&token]).await;
        read("release", self.of_lease(&lease.name, answer)?)
    }

    async fn publish(&self, row: &InstanceRow) -> Result<(), StoreError> {
        row.check()?;
        let json = serde_json::to_string(row)
            .map_err(|error| StoreError::invalid("row", error.to_string()))?;
        let inner = &self.inner;
        let (key, run) = (inner.keys.row(row.run), row.run.to_string());
        let arguments = [run.as_str(), &json, &inner.ttl];
        let keys = [key.as_str(), &inner.keys.instances];
        inner.link.run("publish", &script::PUBLISH, &keys, &arguments).await?;
        Ok(())
    }

    async fn instances(&self, age: Duration) -> Result<Vec<InstanceRow>, StoreError> {
        let inner = &self.inner;
        let (age, rows) = (micros_text(age), inner.keys.rows());
        let arguments = [age.as_str(), &rows];
        let keys = [inner.keys.instances.as_str()];
        let answer = inner.link.run("instances", &script::INSTANCES, &keys, &arguments).await?;
        let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = read("instances", answer)?;
        rows.iter().map(|(run, age, json)| self.row(run, *age, json)).collect()
    }

    async fn retire(&self, run: RunId) -> Result<(), StoreError> {
        let inner = &self.inner;
        let (key, run) = (inner.keys.row(run), run.to_string());
        let keys = [key.as_str(), &inner.keys.instances];
        inner.link.run("retire", &script::RETIRE, &keys, &[&run]).await?;
        Ok(())
    }

    async fn forget_instances(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        let inner = &self.inner;
        let (age, rows) = (micros_text(age), inner.keys.rows());
        let keys = [inner.keys.instances.as_str()];
        let mut left = at_most;
        while left > 0 {
            let asked = left.min(AT_ONCE);
            let number = asked.to_string();
            let arguments = [age.as_str(), &number, &rows];
            let script = &script::FORGET_INSTANCES;
            let answer = inner.link.run("forget_instances", script, &keys, &arguments).await?;
            let forgotten: u32 = read("forget_instances", answer)?;
            left = left.saturating_sub(forgotten);
            if forgotten < asked {
                break;
            }
        }
        Ok(u64::from(at_most - left))
    }
}

impl RedisStore {
    /// A key of another type is told as that of a lease.
    fn of_lease<T>(&self, name: &str, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        answer.map_err(|error| match error {
            StoreError::Schema { .. } => {
                self.corrupt_lease(name, "the key holds another type but must hold a hash")
            }
            other => other,
        })
    }

    fn corrupt_lease(&self, name: &str, problem: &str) -> StoreError {
        StoreError::corrupt(format!("{}lease", self.inner.keys.prefix()), name, problem)
    }

    fn row(&self, run: &[u8], age: i64, json: &[u8]) -> Result<InstanceRow, StoreError> {
        let run = String::from_utf8_lossy(run);
        let corrupt = |problem: String| {
            let place = format!("{}instance", self.inner.keys.prefix());
            StoreError::corrupt(place, &*run, problem)
        };
        let mut row: InstanceRow = serde_json::from_slice(json)
            .map_err(|error| corrupt(format!("it is not its JSON: {error}")))?;
        if row.run.to_string() != *run {
            return Err(corrupt(format!("run is {} but must be the row's", row.run)));
        }
        row.age = Timestamp::from_micros(age).unwrap_or_default().since(Timestamp::EPOCH);
        Ok(row)
    }
}
