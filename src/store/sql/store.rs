//! The store.

use std::{fmt, sync::Arc, time::Duration};

use sea_orm::{DatabaseConnection, DbBackend};
use tokio::sync::watch;
use tower_breaker_migration::Migrator;

#[cfg(feature = "sqlite")]
use super::writer::Writer;
use super::{
    db::{Db, again},
    failure::Failure,
    options::{SqlStoreBuilder, Target, configuration, unsupported},
};
use crate::store::StoreError;

/// State and history in SQLite or Postgres. Cheap to clone. See the [module docs](super).
#[derive(Clone)]
pub struct SqlStore {
    pub(super) db: Arc<Db>,
}

impl SqlStore {
    /// Connects with the defaults. `url` is `sqlite://path`, `sqlite::memory:` or
    /// `postgres://user:password@host/database`, with the parameters that sqlx takes
    /// (`?sslmode=verify-full`). A SQLite file that does not exist is created; the tables are not,
    /// see [`migrate`](Self::migrate).
    ///
    /// # Errors
    ///
    /// As [`SqlStoreBuilder::connect`].
    pub async fn connect(url: impl Into<String>) -> Result<Self, StoreError> {
        Self::builder(url).connect().await
    }

    /// Configures a store. See [`connect`](Self::connect) for the URL.
    #[must_use]
    pub fn builder(url: impl Into<String>) -> SqlStoreBuilder {
        SqlStoreBuilder::new(url.into())
    }

    /// A store on a connection that the application has already. Its pool is used as it is configured:
    /// one that logs statements logs those of the store, and one of one connection lets one operation
    /// through at a time. A metric callback of sea-orm is not told of what goes past sea-orm. Operations take 5 s at most. A watcher on Postgres makes itself a
    /// connection of its own.
    ///
    /// What a store does for a SQLite file that it opened itself is left to whoever made the pool: a
    /// file that is deleted or replaced is not noticed, and a connection whose transaction a full disk
    /// ended is used again. Give such a pool a `before_acquire` that refuses a connection that
    /// `is_in_transaction()`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Configuration`] if it is neither SQLite nor Postgres.
    pub fn from_connection(connection: DatabaseConnection) -> Result<Self, StoreError> {
        let backend = connection.get_database_backend();
        let timeout = Duration::from_secs(5);
        let poll_interval = match backend {
            #[cfg(feature = "sqlite")]
            DbBackend::Sqlite => super::sqlite::POLL_INTERVAL,
            #[cfg(feature = "postgres")]
            DbBackend::Postgres => super::postgres::POLL_INTERVAL,
            other => return Err(unsupported(other)),
        };
        Ok(Self::of(Db {
            backend,
            #[cfg(feature = "sqlite")]
            sqlite_writer: (backend == DbBackend::Sqlite)
                .then(|| Arc::new(Writer::Pooled(connection.get_sqlite_connection_pool().clone()))),
            timeout,
            poll_interval: Some(poll_interval),
            #[cfg(feature = "sqlite")]
            gate: Arc::default(),
            written: watch::Sender::new(()),
            #[cfg(feature = "sqlite")]
            creates_tables: false,
            #[cfg(feature = "sqlite")]
            file: None,
            #[cfg(feature = "postgres")]
            listeners: (backend == DbBackend::Postgres).then(|| {
                let options = connection.get_postgres_connection_pool().connect_options();
                super::postgres::listeners((*options).clone(), timeout)
            }),
            readers: connection.clone(),
            writer: connection,
        }))
    }

    pub(super) fn open(builder: &SqlStoreBuilder) -> Result<Self, StoreError> {
        match builder.target()? {
            #[cfg(feature = "sqlite")]
            Target::SqliteMemory => super::sqlite::memory(builder),
            #[cfg(feature = "sqlite")]
            Target::SqliteFile => super::sqlite::file(builder),
            #[cfg(feature = "postgres")]
            Target::Postgres => super::postgres::server(builder),
        }
        .map(Self::of)
    }

    fn of(db: Db) -> Self {
        Self { db: Arc::new(db) }
    }

    /// Creates the tables, or brings them up to date. Does nothing if they are. Any number of
    /// processes may do it at the same time.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] if the tables are newer than this version of the crate;
    /// [`StoreError::Configuration`] if the user may not create tables;
    /// [`StoreError::Unavailable`].
    pub async fn migrate(&self) -> Result<(), StoreError> {
        use sea_orm_migration::MigratorTrait as _;

        // A task of its own: a transaction that is cut off would poison a connection to Postgres.
        let db = self.db.clone();
        let migrating = tokio::spawn(async move {
            again(|| async { Ok::<_, Failure>(Migrator::up(&db.writer, None).await?) }).await
        });
        // A long time, since others may be at it before.
        match tokio::time::timeout(self.db.timeout * 12, migrating).await {
            Ok(Ok(done)) => done.map_err(|failure| failure.at("migrate")),
            Ok(Err(join)) => Err(StoreError::unavailable("migrate", join)),
            Err(_) => Err(StoreError::timed_out("migrate", self.db.timeout * 12)),
        }
    }

    /// The migrations that the database lacks; none if its tables are up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] if the tables are newer than this version of the crate;
    /// [`StoreError::Unavailable`].
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        let pending = again(|| async { Ok(Migrator::pending(&self.db.readers).await?) });
        self.db.in_time("connect", pending).await.map_err(|error| match error {
            // SQLite: the file cannot be opened.
            StoreError::Unavailable { source, .. } if cannot_open(&*source) => {
                configuration("the store's file cannot be opened or created".to_owned())
            }
            other => other,
        })
    }

    /// Closes all connections. What was begun ends first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if that takes longer than an operation may.
    pub async fn close(&self) -> Result<(), StoreError> {
        let closing = async {
            #[cfg(feature = "sqlite")]
            if let Some(writer) = &self.db.sqlite_writer {
                writer.close().await;
            }
            self.db.readers.close_by_ref().await?;
            self.db.writer.close_by_ref().await?;
            #[cfg(feature = "postgres")]
            if let Some(listeners) = &self.db.listeners {
                listeners.close().await;
            }
            Ok(())
        };
        self.db.in_time("close", closing).await
    }
}

fn cannot_open(error: &(dyn std::error::Error + 'static)) -> bool {
    let said = error.to_string();
    said.contains("unable to open database file")
}

/// Without the URL, which may hold a password.
impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("database", &self.db.backend)
            .field("operation_timeout", &self.db.timeout)
            .finish_non_exhaustive()
    }
}
