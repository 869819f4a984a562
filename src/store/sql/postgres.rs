//! Connections to Postgres.

#[cfg(feature = "sqlite")]
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{
    DbBackend, SqlxPostgresConnector,
    sqlx::{
        ConnectOptions as _, Connection as _, Executor as _,
        postgres::{PgConnectOptions, PgPool, PgPoolOptions},
    },
};
use tokio::sync::watch;

use super::{
    db::Db,
    options::{Durability, SqlStoreBuilder, configuration},
};
use crate::store::StoreError;

/// How often a watcher looks unless it was set.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How many watchers of a store are told at once; further ones look at an interval.
const LISTENERS: u32 = 4;
/// A connection that nobody used for so long is tried first: the server may have been restarted.
const IDLE: Duration = Duration::from_secs(1);

pub(super) fn server(builder: &SqlStoreBuilder) -> Result<Db, StoreError> {
    let options: PgConnectOptions = builder.url.parse().map_err(|error| {
        configuration(format!("the store's URL is not one of Postgres: {}", problem_of(&error)))
    })?;
    let options = options.disable_statement_logging();
    let power_loss = builder.durability == Durability::PowerLoss;
    let pool = PgPoolOptions::new()
        .max_connections(builder.max_connections)
        .acquire_timeout(builder.timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, usage| {
            Box::pin(async move {
                if usage.idle_for >= IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if power_loss {
                    connection.execute("SET synchronous_commit = on").await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options.clone());
    let listeners = listeners(options, builder.timeout);
    let connection = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    Ok(Db {
        writer: connection.clone(),
        readers: connection,
        backend: DbBackend::Postgres,
        #[cfg(feature = "sqlite")]
        sqlite_writer: None,
        timeout: builder.timeout,
        poll_interval: Some(builder.poll_interval.unwrap_or(POLL_INTERVAL)),
        #[cfg(feature = "sqlite")]
        gate: Arc::default(),
        written: watch::Sender::new(()),
        #[cfg(feature = "sqlite")]
        creates_tables: false,
        #[cfg(feature = "sqlite")]
        file: None,
        listeners: Some(listeners),
    })
}

/// Connections of their own, since a watcher keeps its one for as long as it lives.
pub(super) fn listeners(options: PgConnectOptions, timeout: Duration) -> PgPool {
    PgPoolOptions::new()
        .max_connections(LISTENERS)
        .acquire_timeout(timeout)
        .connect_lazy_with(options)
}

/// What is wrong with a URL, without its parts.
fn problem_of(error: &sea_orm::sqlx::Error) -> &'static str {
    match error {
        sea_orm::sqlx::Error::Configuration(_) => {
            "write `postgres://user:password@host:port/database`, with special characters in the \
             password as `%40`"
        }
        _ => "it cannot be read",
    }
}
