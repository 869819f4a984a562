//! The states of circuits.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use redis::{FromRedisValue, Value};

use super::{
    cursor::{Mark, new_mark},
    record::{self, Fields},
    script,
    store::{RedisStore, micros_text, read},
    watch,
};
use crate::{
    name::ServiceName,
    store::{
        ChangeHint, CircuitRecord, Committed, Cursor, EventRecord, Expected, Loaded, StateStore,
        StoreError, Stored, Timestamp,
    },
};

/// How many records one script reads: others wait meanwhile.
const PAGE: &str = "200";
/// How many tombstones one script deletes.
const AT_ONCE: u32 = 500;

#[async_trait]
impl StateStore for RedisStore {
    async fn load(&self, service: &ServiceName) -> Result<Option<Stored>, StoreError> {
        let key = self.inner.keys.record(service);
        let answer = self.inner.link.run("load", &script::LOAD, &[&key], &[]).await?;
        match self.answer("load", service, answer)? {
            Answer::Found(found) => Ok(found),
            Answer::Done { .. } => Ok(None),
        }
    }

    async fn load_all(&self, since: Option<Cursor>) -> Result<Loaded, StoreError> {
        let mut rows: HashMap<Vec<u8>, Value> = HashMap::new();
        let mut stands = since.map(Mark::of).unwrap_or_default();
        loop {
            let page = self.page(stands.changes).await?;
            let lost =
                page.mark.incarnation != stands.incarnation || page.mark.changes < stands.changes;
            if lost && stands.changes > 0 {
                // Another index than that of the reader, or an older copy of it.
                rows.clear();
                stands = Mark::default();
                continue;
            }
            rows.extend(page.rows);
            stands = Mark { changes: page.last, ..page.mark };
            if page.at_end {
                return Ok(self.loaded(rows, page.now, stands.cursor()));
            }
        }
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
        let (inner, lane) = (&self.inner, expected.lane);
        let key = inner.keys.record(&next.service);
        let version = next.version(lane);
        let mut arguments = vec![
            new_mark(),
            next.service.as_str().to_owned(),
            lane.as_str().to_owned(),
            expected.version.map(|version| version.to_string()).unwrap_or_default(),
            version.to_string(),
            micros_text(next.age),
            record::lane_json(lane, next)?,
            inner.ttl.clone(),
            inner.keys.channel.clone(),
        ];
        arguments.extend(record::extra_fields(&next.extra));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let keys = [key.as_str(), &inner.keys.index, &inner.keys.tombstones];
        let answer = inner.link.run("compare_and_swap", &script::SWAP, &keys, &arguments).await?;
        match self.answer("compare_and_swap", &next.service, answer)? {
            Answer::Done { at } => Ok(Committed::new(version, at)),
            Answer::Found(found) => Err(StoreError::conflict(found)),
        }
    }

    async fn remove(&self, service: &ServiceName, expected: Expected) -> Result<(), StoreError> {
        let inner = &self.inner;
        let key = inner.keys.record(service);
        let version = expected.version.map(|version| version.to_string()).unwrap_or_default();
        let mark = new_mark();
        let (lane, channel) = (expected.lane.as_str(), inner.keys.channel.as_str());
        let arguments = [mark.as_str(), service.as_str(), lane, &version, &inner.ttl, channel];
        let keys = [key.as_str(), &inner.keys.index, &inner.keys.tombstones];
        let answer = inner.link.run("remove", &script::REMOVE, &keys, &arguments).await?;
        match self.answer("remove", service, answer)? {
            Answer::Done { .. } => Ok(()),
            Answer::Found(found) => Err(StoreError::conflict(found)),
        }
    }

    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Result<u64, StoreError> {
        let inner = &self.inner;
        let (age, records) = (micros_text(age), inner.keys.records());
        let keys = [inner.keys.tombstones.as_str(), &inner.keys.index];
        let mut left = at_most;
        while left > 0 {
            let asked = left.min(AT_ONCE);
            let number = asked.to_string();
            let arguments = [age.as_str(), &number, &records];
            let operation = "forget_tombstones";
            let script = &script::FORGET_TOMBSTONES;
            let answer = inner.link.run(operation, script, &keys, &arguments).await?;
            let (looked_at, forgotten): (u32, u32) = read(operation, answer)?;
            left = left.saturating_sub(forgotten);
            if looked_at < asked {
                break;
            }
        }
        Ok(u64::from(at_most - left))
    }

    fn watch(&self) -> BoxStream<'static, ChangeHint> {
        watch::stream(Arc::clone(&self.inner))
    }
}

/// What the scripts on one record say.
#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
enum Answer {
    Done { at: Timestamp },
    Found(Option<Stored>),
}

/// The entry at the top, the clock, how many changes there were, the change of the last entry,
/// whether that is the end, and the rows.
type PageAnswer = (String, String, u64, u64, bool, Vec<(Vec<u8>, Value)>);

/// A part of the index, with the records.
struct Page {
    mark: Mark,
    now: Timestamp,
    /// The change of the last entry.
    last: u64,
    at_end: bool,
    rows: Vec<(Vec<u8>, Value)>,
}

impl RedisStore {
    fn answer(
        &self,
        operation: &'static str,
        service: &ServiceName,
        answer: Value,
    ) -> Result<Answer, StoreError> {
        let (said, more, fields): (String, String, Value) = match answer {
            Value::Array(parts) if parts.len() == 2 => {
                let (said, more) = read(operation, Value::Array(parts))?;
                (said, more, Value::Nil)
            }
            answer => read(operation, answer)?,
        };
        match said.as_str() {
            "done" => {
                if matches!(fields, Value::Int(0)) {
                    self.inner.link.shared.say_no_hints("publish");
                }
                Ok(Answer::Done { at: time(operation, &more)? })
            }
            "found" => {
                let now = time(operation, &more)?;
                self.stored(service, fields, now).map(Answer::Found)
            }
            _ => Err(self.wrong_type(service.as_str(), &more)),
        }
    }

    /// A hash; none if it is empty.
    fn stored(
        &self,
        service: &ServiceName,
        fields: Value,
        now: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        let place = self.place();
        let fields = Fields::from_redis_value(fields)
            .map_err(|error| StoreError::corrupt(&*place, service.as_str(), error.to_string()))?;
        if fields.is_empty() {
            return Ok(None);
        }
        record::stored(&place, service, &fields, now).map(Some)
    }

    fn wrong_type(&self, row: &str, found: &str) -> StoreError {
        let problem = format!("the key holds a {found} but must hold a hash");
        StoreError::corrupt(self.place(), row, problem)
    }

    /// Where records are, for errors.
    fn place(&self) -> String {
        format!("{}circuit", self.inner.keys.prefix())
    }

    async fn page(&self, after: u64) -> Result<Page, StoreError> {
        let keys = &self.inner.keys;
        let (after, records) = (after.to_string(), keys.records());
        let (keys, arguments) = ([keys.index.as_str()], [after.as_str(), PAGE, &records]);
        let operation = "load_all";
        let answer = self.inner.link.run(operation, &script::LOAD_ALL, &keys, &arguments);
        let answer: PageAnswer = read(operation, answer.await?)?;
        let (mark, now, count, last, at_end, rows) = answer;
        let mark = Mark::read(&mark, count);
        Ok(Page { mark, now: time(operation, &now)?, last, at_end, rows })
    }

    fn loaded(&self, rows: HashMap<Vec<u8>, Value>, now: Timestamp, cursor: Cursor) -> Loaded {
        let mut loaded = Loaded { cursor, ..Loaded::default() };
        for (name, fields) in rows {
            let name = String::from_utf8_lossy(&name);
            let read = match (ServiceName::new(&*name), fields) {
                (Err(error), _) => {
                    Err(StoreError::corrupt(self.place(), &*name, error.to_string()))
                }
                (Ok(service), Value::Array(fields)) => {
                    self.stored(&service, Value::Array(fields), now)
                }
                (Ok(service), other) => {
                    let found = String::from_redis_value(other).unwrap_or_default();
                    Err(self.wrong_type(&service, &found))
                }
            };
            match read {
                Ok(stored) => loaded.stored.extend(stored),
                Err(error) => loaded.corrupt.push(error),
            }
        }
        loaded
    }
}

/// The server's clock, in microseconds.
fn time(operation: &'static str, text: &str) -> Result<Timestamp, StoreError> {
    let micros = text.parse().ok().and_then(Timestamp::from_micros);
    micros.ok_or_else(|| StoreError::unavailable(operation, format!("the time is {text:?}")))
}
