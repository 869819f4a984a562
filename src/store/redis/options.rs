//! How a store is connected.

use std::{fmt, time::Duration};

use super::store::RedisStore;
use crate::store::StoreError;

/// The shortest time that a record is kept after its last write.
const SHORTEST_TTL: Duration = Duration::from_secs(24 * 3600);

/// Configures and connects a [`RedisStore`]. See [`RedisStore::builder`].
#[derive(Clone)]
#[must_use]
pub struct RedisStoreBuilder {
    pub(super) url: String,
    pub(super) prefix: String,
    pub(super) timeout: Duration,
    pub(super) ttl: Duration,
    pub(super) poll_interval: Duration,
    pub(super) ping_interval: Duration,
    pub(super) root_certificate: Option<Vec<u8>>,
}

impl RedisStoreBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            prefix: "tower-breaker".to_owned(),
            timeout: Duration::from_secs(1),
            ttl: Duration::from_secs(30 * 24 * 3600),
            poll_interval: Duration::from_secs(1),
            ping_interval: Duration::from_secs(5),
            root_certificate: None,
        }
    }

    /// What the keys begin with, in braces: `tower-breaker` unless set. 1 to 128 bytes without braces
    /// and control characters. Processes with the same server, database number and prefix are one
    /// fleet; two applications that name their services alike need two prefixes.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long an operation may take, a connection that is still being made included: 1 s unless
    /// set, at least 10 ms. What reads or forgets many circuits asks for 200 to 500 at a time, each
    /// time within this. A write that takes longer is [`StoreError::Unavailable`], and may have
    /// been taken. The connection is then replaced; until there is a new one, operations fail at
    /// once.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(Duration::from_millis(10));
        self
    }

    /// How long a record, a tombstone or the row of a process is kept after its last write: 30 days
    /// unless set, at least 24 h. A record is kept its open time longer than that; one with an
    /// override or with changed settings is kept until that is lifted.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl.max(SHORTEST_TTL);
        self
    }

    /// How often [`watch`](crate::store::StateStore::watch) says that anything may have changed where
    /// the user may not subscribe: every second unless set, at least 1 ms. Everywhere else changes
    /// are told at once, and this is not used.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// How often the connection is tried: every 5 s unless set, at least 10 ms. Without it, nothing
    /// tells a watcher that the network swallows what the server says.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval.max(Duration::from_millis(10));
        self
    }

    /// The only certificate, in PEM, that may have signed that of the server, in place of those that
    /// the system trusts. Several may follow each other.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificate = Some(pem.into());
        self
    }

    /// Checks URL and prefix, and connects when the store is first used: for a process that has to
    /// start while its store is down.
    ///
    /// # Errors
    ///
    /// [`StoreError::Configuration`] where the URL or the prefix cannot be one of a store.
    pub fn connect_lazy(self) -> Result<RedisStore, StoreError> {
        RedisStore::open(&self)
    }

    /// Connects, and looks whether what is stored can be read.
    ///
    /// # Errors
    ///
    /// [`StoreError::Configuration`] where the URL or the prefix cannot be one of a store, the server
    /// does not let this user in, does not let it run scripts, has no such database, has a certificate
    /// that is not trusted, is a node of a cluster, or is older than Redis 6;
    /// [`StoreError::Schema`] where the keys are those of something else, or of a newer version of the
    /// crate; [`StoreError::Unavailable`] where the server does not answer.
    pub async fn connect(self) -> Result<RedisStore, StoreError> {
        let store = RedisStore::open(&self)?;
        store.check().await?;
        Ok(store)
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .field("operation_timeout", &self.timeout)
            .field("ttl", &self.ttl)
            .field("poll_interval", &self.poll_interval)
            .field("ping_interval", &self.ping_interval)
            .finish_non_exhaustive()
    }
}
