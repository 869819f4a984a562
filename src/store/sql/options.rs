//! How a store is connected.

use std::{fmt, time::Duration};

use sea_orm::DbBackend;

use super::store::SqlStore;
use crate::store::StoreError;

/// What a transition that was acknowledged survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The end of any process, `kill -9` included. On SQLite a power failure may take the last
    /// transitions (`synchronous = NORMAL`), and leaves the database whole; a Postgres server keeps
    /// to what it is configured to do.
    #[default]
    ProcessCrash,
    /// A power failure too: `synchronous = FULL` on SQLite, `synchronous_commit = on` on Postgres.
    PowerLoss,
}

/// Configures and connects a [`SqlStore`]. See [`SqlStore::builder`].
#[derive(Clone)]
pub struct SqlStoreBuilder {
    pub(super) url: String,
    pub(super) durability: Durability,
    pub(super) timeout: Duration,
    pub(super) poll_interval: Option<Duration>,
    pub(super) max_connections: u32,
    pub(super) migrate: bool,
}

/// Where a URL leads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    #[cfg(feature = "sqlite")]
    SqliteMemory,
    #[cfg(feature = "sqlite")]
    SqliteFile,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl SqlStoreBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            durability: Durability::default(),
            timeout: Duration::from_secs(5),
            poll_interval: None,
            max_connections: 5,
            migrate: false,
        }
    }

    /// What a transition survives. [`Durability::ProcessCrash`] unless set.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long an operation may take, the wait for a connection or a lock included: 5 s unless set,
    /// at least 10 ms. A write that takes longer is [`StoreError::Unavailable`], and may have been
    /// taken.
    #[must_use]
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(Duration::from_millis(10));
        self
    }

    /// How often [`watch`](crate::store::StateStore::watch) looks for changes, at least 1 ms: every
    /// 10 ms on SQLite, where it first looks whether the file was written to, and every second on
    /// Postgres unless set. A change is told at once too: on SQLite by the operating system, where it
    /// tells of writes to files, where the interval is five times as long, on Postgres by `LISTEN`, unless
    /// there is a proxy between that pools transactions.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = Some(interval.max(Duration::from_millis(1)));
        self
    }

    /// How many connections are open at most, at least 1: 5 unless set. On SQLite those that read,
    /// others write; on Postgres all but those of [`watch`](crate::store::StateStore::watch).
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// Whether [`connect`](Self::connect) creates the tables where they are missing. Not unless set.
    #[must_use]
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// Checks the URL, and connects when the store is first used: for a process that has to start
    /// while its store is down.
    ///
    /// # Errors
    ///
    /// [`StoreError::Configuration`] where the URL cannot be one of a store, or the folder of the
    /// file does not exist.
    pub fn connect_lazy(self) -> Result<SqlStore, StoreError> {
        SqlStore::open(&self)
    }

    /// Connects, and creates the tables if it was [asked to](Self::migrate).
    ///
    /// # Errors
    ///
    /// [`StoreError::Configuration`] where the URL cannot be one of a store, the folder of the file
    /// does not exist, or the server does not let this user in; [`StoreError::Unavailable`] where it
    /// does not answer; [`StoreError::Schema`] where the tables are newer than this version of the
    /// crate.
    pub async fn connect(self) -> Result<SqlStore, StoreError> {
        let store = SqlStore::open(&self)?;
        if self.migrate {
            store.migrate().await?;
        } else {
            store.pending_migrations().await?;
        }
        Ok(store)
    }

    /// Where the URL leads. What is wrong with it is said without repeating it.
    pub(super) fn target(&self) -> Result<Target, StoreError> {
        let scheme = self.url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "sqlite" => self.sqlite_target(),
            "postgres" | "postgresql" => Self::postgres_target(),
            _ => {
                // A URL without a scheme may be anything, a password included.
                let named = !scheme.is_empty() && self.url.contains("://") && scheme.len() <= 16;
                let found = if named { format!("is `{scheme}`") } else { "is missing".to_owned() };
                Err(configuration(format!(
                    "the scheme of the store's URL {found} but must be `sqlite` or `postgres`"
                )))
            }
        }
    }

    #[cfg(feature = "sqlite")]
    fn sqlite_target(&self) -> Result<Target, StoreError> {
        let rest = self.url.trim_start_matches("sqlite:").trim_start_matches("//");
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if path == ":memory:" || query.split('&').any(|parameter| parameter == "mode=memory") {
            return Ok(Target::SqliteMemory);
        }
        if path.is_empty() {
            return Err(configuration(
                "the store's URL has no path: write `sqlite://path` or `sqlite::memory:`"
                    .to_owned(),
            ));
        }
        Ok(Target::SqliteFile)
    }

    #[cfg(not(feature = "sqlite"))]
    fn sqlite_target(&self) -> Result<Target, StoreError> {
        Err(configuration("SQLite needs the feature `sqlite` of tower-breaker".to_owned()))
    }

    #[cfg(feature = "postgres")]
    fn postgres_target() -> Result<Target, StoreError> {
        Ok(Target::Postgres)
    }

    #[cfg(not(feature = "postgres"))]
    fn postgres_target() -> Result<Target, StoreError> {
        Err(configuration("Postgres needs the feature `postgres` of tower-breaker".to_owned()))
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for SqlStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStoreBuilder")
            .field("durability", &self.durability)
            .field("timeout", &self.timeout)
            .field("poll_interval", &self.poll_interval)
            .field("max_connections", &self.max_connections)
            .field("migrate", &self.migrate)
            .finish_non_exhaustive()
    }
}

pub(super) fn unsupported(backend: DbBackend) -> StoreError {
    configuration(format!(
        "the connection is to {} but must be to SQLite or Postgres, with the feature of that name",
        backend.as_str()
    ))
}

pub(super) fn configuration(problem: String) -> StoreError {
    StoreError::Configuration { problem }
}
