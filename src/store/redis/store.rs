//! The store.

use std::{fmt, sync::Arc, time::Duration};

use redis::{FromRedisValue, Value};

use super::{client, failure::Problem, keys::Keys, link::Link, options::RedisStoreBuilder, script};
use crate::store::{StoreError, ids::micros};

/// Circuits and fleet in Redis or Valkey. Cheap to clone. See the [module docs](super).
#[derive(Clone)]
pub struct RedisStore {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) link: Link,
    pub(super) keys: Keys,
    /// How long keys are kept, in milliseconds.
    pub(super) ttl: String,
}

impl RedisStore {
    /// Connects with the defaults. `url` is `redis://user:password@host:port/database`, `rediss://`
    /// for TLS, or `redis+unix:///path?db=1&pass=password`.
    ///
    /// # Errors
    ///
    /// As [`RedisStoreBuilder::connect`].
    pub async fn connect(url: impl Into<String>) -> Result<Self, StoreError> {
        Self::builder(url).connect().await
    }

    /// Configures a store. See [`connect`](Self::connect) for the URL.
    pub fn builder(url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url.into())
    }

    pub(super) fn open(builder: &RedisStoreBuilder) -> Result<Self, StoreError> {
        let client = client::client(&builder.url, builder.root_certificate.as_deref());
        let client = client.map_err(|problem| problem.at("connect"))?;
        let keys = Keys::new(&builder.prefix)?;
        let link = Link::new(
            client,
            keys.channel.clone(),
            builder.timeout,
            builder.ping_interval,
            builder.poll_interval,
        );
        let ttl = (micros(builder.ttl) / 1000).to_string();
        Ok(Self { inner: Arc::new(Inner { link, keys, ttl }) })
    }

    /// Looks whether what is stored can be read.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let keys = &self.inner.keys;
        let arguments = ["+inf", "1", &keys.records()];
        self.inner.link.run("connect", &script::LOAD_ALL, &[&keys.index], &arguments).await?;
        Ok(())
    }

    /// Closes the connection, for all clones. What comes after it is
    /// [`Unavailable`](StoreError::Unavailable); streams of hints stay, and say nothing more.
    pub fn close(&self) {
        self.inner.link.close();
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.inner.keys.prefix())
            .field("operation_timeout", &self.inner.link.shared.timeout)
            .finish_non_exhaustive()
    }
}

/// An answer in the form that a script gives it.
pub(super) fn read<T: FromRedisValue>(
    operation: &'static str,
    answer: Value,
) -> Result<T, StoreError> {
    redis::from_redis_value(answer)
        .map_err(|error| Problem::from(redis::RedisError::from(error)).at(operation))
}

/// A duration as the scripts take it.
pub(super) fn micros_text(duration: Duration) -> String {
    micros(duration).to_string()
}
