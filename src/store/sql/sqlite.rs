//! Connections to SQLite.

use std::{sync::Arc, time::Duration};

use sea_orm::{
    DbBackend, SqlxSqliteConnector,
    sqlx::{
        ConnectOptions as _, Connection as _, SqlitePool,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};
use tokio::sync::watch;

use super::{
    checkpoint,
    db::Db,
    options::{Durability, SqlStoreBuilder, configuration},
    same_file::SameFile,
    writer::Writer,
};
use crate::store::StoreError;

/// How often a watcher of an application's own connection looks.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How often one that has a connection of its own does, unless it was set.
const GLANCE_INTERVAL: Duration = Duration::from_millis(10);

/// How many rows the thread of a connection reads before somebody takes one.
const ROWS_AHEAD: usize = 1024;

/// A database in a file: one connection that writes, others that read beside it.
pub(super) fn file(builder: &SqlStoreBuilder) -> Result<Db, StoreError> {
    let options = options(builder)?;
    let folder = options.get_filename().parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(configuration(format!(
            "the folder `{}` of the store's file does not exist",
            folder.display()
        )));
    }
    let synchronous = match builder.durability {
        Durability::ProcessCrash => SqliteSynchronous::Normal,
        Durability::PowerLoss => SqliteSynchronous::Full,
    };
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
    let options = checkpoint::rarely(options);
    let file = Arc::new(SameFile::new(options.get_filename()));
    let writes = Writer::own(options.clone(), file.clone());
    let writer = pool(builder, 1, options.clone(), Some(file.clone()));
    let readers = pool(builder, builder.max_connections, options, Some(file.clone()));
    let [writer, readers] = [writer, readers].map(SqlxSqliteConnector::from_sqlx_sqlite_pool);
    Ok(Db {
        poll_interval: Some(builder.poll_interval.unwrap_or(GLANCE_INTERVAL)),
        creates_tables: builder.migrate,
        file: Some(file),
        ..db(builder, writes, writer, readers)
    })
}

/// A database in memory: one connection, which is never closed, since all would be lost with it.
pub(super) fn memory(builder: &SqlStoreBuilder) -> Result<Db, StoreError> {
    let pool = pool(builder, 1, options(builder)?, None);
    let only = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.clone());
    Ok(db(builder, Writer::Pooled(pool), only.clone(), only))
}

fn options(builder: &SqlStoreBuilder) -> Result<SqliteConnectOptions, StoreError> {
    let options: SqliteConnectOptions = builder
        .url
        .parse()
        .map_err(|error| configuration(format!("the store's URL is not one of SQLite: {error}")))?;
    // A URL that does not say how means one that is created.
    let says_how = builder.url.contains("mode=");
    let options = if says_how { options } else { options.create_if_missing(true) };
    Ok(options
        .busy_timeout(builder.timeout)
        .row_buffer_size(ROWS_AHEAD)
        .disable_statement_logging())
}

fn pool(
    builder: &SqlStoreBuilder,
    connections: u32,
    options: SqliteConnectOptions,
    file: Option<Arc<SameFile>>,
) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(builder.timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(move |connection, usage| {
            // A full disk ends a transaction without sqlx knowing of it. What is then begun on that
            // connection is a savepoint, and after the next failure no commit is one any more.
            let good = file
                .as_ref()
                .is_none_or(|file| file.is_open_in(usage.age) && !connection.is_in_transaction());
            Box::pin(async move { Ok(good) })
        })
        .connect_lazy_with(options)
}

fn db(
    builder: &SqlStoreBuilder,
    writes: Writer,
    writer: sea_orm::DatabaseConnection,
    readers: sea_orm::DatabaseConnection,
) -> Db {
    Db {
        writer,
        readers,
        backend: DbBackend::Sqlite,
        sqlite_writer: Some(Arc::new(writes)),
        timeout: builder.timeout,
        poll_interval: None,
        gate: Arc::default(),
        written: watch::Sender::new(()),
        creates_tables: false,
        file: None,
        #[cfg(feature = "postgres")]
        listeners: None,
    }
}
