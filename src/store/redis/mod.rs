//! Circuits and fleet in Redis or Valkey.
//!
//! [`RedisStore`] is a [`StateStore`](super::StateStore) and a [`FleetStore`](super::FleetStore). It
//! keeps no history: a change and its event are in one store only where that keeps both.
//!
//! ```no_run
//! # async fn example() -> Result<(), tower_breaker::store::StoreError> {
//! use tower_breaker::store::redis::RedisStore;
//!
//! let store = RedisStore::connect("redis://127.0.0.1").await?;
//! # Ok(())
//! # }
//! ```
//!
//! More of it can be set:
//!
//! ```no_run
//! # async fn example() -> Result<(), tower_breaker::store::StoreError> {
//! use std::time::Duration;
//!
//! use tower_breaker::store::redis::RedisStore;
//!
//! let store = RedisStore::builder("rediss://breakers:secret@redis.example:6380/2")
//!     .prefix("shop:breakers")
//!     .operation_timeout(Duration::from_millis(200))
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! ## Servers
//!
//! Redis 6 or later, or Valkey. Redis Cluster is not supported. Where Redis forgets, so does the
//! store: a transition that was acknowledged survives the end of any process but that of the server,
//! unless that is configured to keep what it is told (`appendonly yes`, and `appendfsync always` for a
//! power failure). A fleet whose server came back empty finds its records missing, not at version
//! zero, and writes them again. `maxmemory-policy` should be `noeviction` or one of `volatile-*`; a
//! record that was evicted all the same is missing like one that was lost.
//!
//! ## While the server is away
//!
//! There is one connection a store. An operation that has no answer within
//! [its time](RedisStoreBuilder::operation_timeout) fails and gives the connection up; from then on
//! operations fail at once and without being sent, until a task in the background has made a new one.
//! It tries at once, then at growing intervals of up to three seconds. A server that hangs, refuses or
//! cannot be reached is the same to it. Watchers are told [`Resync`](super::ChangeHint::Resync) whenever there is a new
//! connection.
//!
//! ## Keys
//!
//! All begin with the prefix in braces, here `{tower-breaker}:`, and share a slot for that. Times are
//! microseconds since 1970 by the server's clock.
//!
//! | key | type | what |
//! |---|---|---|
//! | `circuit:NAME` | hash | a record or a tombstone, see below |
//! | `changes` | sorted set | names of circuits by the number of their last change; above them one entry `tower-breaker<TAB>format=1<TAB>incarnation=…`, whose score counts the changes |
//! | `tombstones` | sorted set | names of removed circuits by when they were removed |
//! | `lease:NAME` | hash | `token`, `owner`, `term` and `since` |
//! | `instance:RUN` | string | the row of a process, as JSON |
//! | `instances` | sorted set | runs by when they last told of themselves |
//!
//! A circuit's hash has `format` (1), `kind` (`record` or `tombstone`), `service`, and the three
//! versions `state.version`, `override.version`, `settings.version`, like `0.7`. A record has
//! `state.changed_at` too, and as JSON each lane that was ever written (`state`, `override`,
//! `settings`) and each field that this version of the crate does not know (`extra:FIELD`); a
//! tombstone has `removed_at`. Other fields are left alone.
//!
//! ```text
//! redis-cli HGETALL '{tower-breaker}:circuit:payments'
//! redis-cli ZRANGE '{tower-breaker}:changes' 0 -1 WITHSCORES
//! ```
//!
//! Every change is one script on the server, which also publishes the name on the channel `changed`.
//! Records, tombstones and rows run out after [a time](RedisStoreBuilder::ttl), records with an
//! override or with changed settings do not.
//!
//! ## Who may share a prefix
//!
//! Processes with one prefix are one fleet, also with different versions of the crate, as long as
//! those know one format: a format from the future is [`StoreError::Schema`](super::StoreError::Schema)
//! or, in one record, [`StoreError::Corrupt`](super::StoreError::Corrupt). Something else that uses the
//! same keys is an error too, and is left as it is. Two applications of this crate that share a prefix
//! cannot be told from one fleet: give each its own.
//!
//! ## Users
//!
//! ```text
//! ACL SETUSER breakers on >secret ~{tower-breaker}:* &{tower-breaker}:changed
//!     +eval +evalsha +time +type +exists +del +persist +pexpire +get +set +hset +hget +hmget +hgetall
//!     +zadd +zrem +zscore +zincrby +zrevrange +zrangebyscore +subscribe +publish +ping
//! ```
//!
//! Without `subscribe`, a watcher is told at [an interval](RedisStoreBuilder::poll_interval) that
//! anything may have changed; without `publish`, others do not hear of this process's changes until
//! they look. Either is said once, as a warning. Redis 6 has no `&` rule.

mod client;
mod cursor;
mod failure;
mod fleet_store;
mod keeper;
mod keys;
mod link;
mod options;
mod record;
mod script;
mod state_store;
mod store;
mod watch;

pub use self::{options::RedisStoreBuilder, store::RedisStore};
