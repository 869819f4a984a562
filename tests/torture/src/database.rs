//! A database for a run, and what can be seen and done in it beside the stores.

use std::{env, path::PathBuf, thread, time::Duration};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as Connector, DatabaseConnection, Statement,
};
use tempfile::TempDir;
use tower_breaker::store::{
    CircuitRecord, EventKind, EventQuery, EventRecord, HistoryStore, MAX_PAGE, StateStore, Stored,
    TimeRange, Timestamp,
    sql::{SqlStore, SqlStoreBuilder},
};

use crate::Error;

/// Where a Postgres server is found.
pub const POSTGRES: &str = "TOWER_BREAKER_POSTGRES_URL";

/// A database of a run. It goes with this, unless it was named.
#[derive(Debug)]
pub struct Database {
    /// Where stores find it.
    pub url: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File(#[expect(dead_code, reason = "it goes with this")] TempDir),
    Postgres { admin: String, name: String },
    Named,
}

impl Database {
    /// One of a kind, `sqlite` or `postgres`, or the one with that URL.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub async fn of(kind: &str) -> Result<Self, Error> {
        match kind {
            "sqlite" => Self::sqlite(),
            "postgres" => Self::postgres().await,
            url if url.contains(':') => Ok(Self { url: url.to_owned(), kind: Kind::Named }),
            other => Err(format!("`{other}` is no store: write sqlite, postgres or a URL").into()),
        }
    }

    /// A SQLite file in a folder of its own.
    ///
    /// # Errors
    ///
    /// If there can be no temporary folder.
    pub fn sqlite() -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite://{}", folder.path().join("breakers.db").display());
        Ok(Self { url, kind: Kind::File(folder) })
    }

    /// A new database on the server of the tests.
    ///
    /// # Errors
    ///
    /// If there is no server, or it does not let one be made.
    pub async fn postgres() -> Result<Self, Error> {
        let admin = env::var(POSTGRES).map_err(|_| {
            format!(
                "this needs Postgres: run scripts/test, or `scripts/servers COMMAND`, or set \
                 {POSTGRES} to the URL of a server whose user may create databases"
            )
        })?;
        Self::on_server(&admin).await
    }

    /// A new database on a server.
    ///
    /// # Errors
    ///
    /// If the server does not let one be made.
    pub async fn on_server(admin: &str) -> Result<Self, Error> {
        let name = format!("breaker_torture_{:016x}", fastrand::u64(..));
        let server = connect(admin).await?;
        server.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        server.close().await?;
        let (server, _) = admin.rsplit_once('/').ok_or("the URL names no database")?;
        let url = format!("{server}/{name}");
        Ok(Self { url, kind: Kind::Postgres { admin: admin.to_owned(), name } })
    }

    /// The file of a SQLite database.
    ///
    /// # Errors
    ///
    /// If it is no file.
    pub fn path(&self) -> Result<PathBuf, Error> {
        let path = self.url.strip_prefix("sqlite://").ok_or("the database is no file")?;
        Ok(PathBuf::from(path))
    }

    /// Configures a store that makes its tables.
    #[must_use]
    pub fn builder(&self) -> SqlStoreBuilder {
        SqlStore::builder(&self.url).migrate(true)
    }

    /// A store with its tables.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn store(&self) -> Result<SqlStore, Error> {
        Ok(self.builder().connect().await?)
    }

    /// A connection that no store knows of.
    ///
    /// # Errors
    ///
    /// If there can be none.
    pub async fn connection(&self) -> Result<DatabaseConnection, Error> {
        connect(&self.url).await
    }

    /// Waits until nothing runs in it any more: a server goes on with the statement of a client that
    /// was killed.
    ///
    /// # Errors
    ///
    /// Those of the database, or if something goes on for ten seconds.
    pub async fn is_quiet(&self) -> Result<(), Error> {
        if !self.url.starts_with("postgres") {
            return Ok(());
        }
        let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND state <> 'idle' AND pid <> pg_backend_pid()";
        for _ in 0..1000 {
            if self.number(running).await? == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("the database is not quiet".into())
    }

    /// Runs statements.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn execute(&self, sql: &str) -> Result<(), Error> {
        let connection = self.connection().await?;
        connection.execute_unprepared(sql).await?;
        Ok(connection.close().await?)
    }

    /// Asks for one number.
    ///
    /// # Errors
    ///
    /// Those of the database, or if there is no number.
    pub async fn number(&self, sql: &str) -> Result<i64, Error> {
        let connection = self.connection().await?;
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(statement).await?.ok_or("no row")?;
        let number = row.try_get_by_index(0)?;
        connection.close().await?;
        Ok(number)
    }
}

async fn connect(url: &str) -> Result<DatabaseConnection, Error> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(Connector::connect(options).await?)
}

/// All records of a store.
///
/// # Errors
///
/// Those of the store, or the first record that cannot be read.
pub async fn records(store: &SqlStore) -> Result<Vec<CircuitRecord>, Error> {
    let loaded = store.load_all(None).await?;
    if let Some(corrupt) = loaded.corrupt.into_iter().next() {
        return Err(corrupt.into());
    }
    Ok(loaded.stored.into_iter().filter_map(Stored::record).collect())
}

/// All changes in the history since then.
///
/// # Errors
///
/// Those of the store.
pub async fn changes(store: &SqlStore, since: Timestamp) -> Result<Vec<EventRecord>, Error> {
    let mut query = EventQuery::all();
    query.kinds = vec![EventKind::StateChange, EventKind::Override, EventKind::SettingsChange];
    query.range = TimeRange { from: since, until: Timestamp::MAX };
    query.limit = MAX_PAGE;
    let mut found = Vec::new();
    loop {
        let page = store.events(&query).await?;
        found.extend(page.items);
        query.page = page.next;
        if query.page.is_none() {
            return Ok(found);
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Kind::Postgres { admin, name } = &self.kind else { return };
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let admin = admin.clone();
        // A runtime of its own: the one of the run cannot be waited for in a destructor.
        let _ = thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build()
            else {
                return;
            };
            runtime.block_on(async {
                // A server that is gone took the database with it.
                if let Ok(server) = connect(&admin).await {
                    let _ = server.execute_unprepared(&drop).await;
                }
            });
        })
        .join();
    }
}
