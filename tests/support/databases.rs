//! Stores for tests: each has a database of its own, which is gone when its guard is dropped.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{env, path::PathBuf, thread};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use tempfile::TempDir;
use tower_breaker::store::sql::{SqlStore, SqlStoreBuilder};

/// Where the tests find Postgres.
pub(crate) const POSTGRES: &str = "TOWER_BREAKER_POSTGRES_URL";

/// A database of a test, and how to reach it. Keep it as long as the stores on it.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Memory,
    File(TempDir),
    Postgres { admin: String, name: String },
}

impl TestDatabase {
    /// A SQLite database in a folder of its own.
    pub(crate) fn sqlite_file() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("breakers.db").display());
        Self { url, kind: Kind::File(folder) }
    }

    /// A SQLite database in memory: one a store.
    pub(crate) fn sqlite_memory() -> Self {
        Self { url: "sqlite::memory:".to_owned(), kind: Kind::Memory }
    }

    /// A database of its own on the Postgres server of the tests.
    pub(crate) async fn postgres() -> Self {
        let admin = env::var(POSTGRES).unwrap_or_else(|_| {
            panic!(
                "this test needs Postgres: run scripts/test, or `scripts/servers cargo nextest run \
                 …`, or set {POSTGRES} to the URL of a server whose user may create databases"
            )
        });
        let name = format!("breaker_test_{:016x}", fastrand::u64(..));
        let server = Database::connect(&admin).await.expect("the Postgres server of the tests");
        server
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a new database");
        server.close().await.expect("closing");
        let (server, _) = admin.rsplit_once('/').expect("a URL with a database");
        Self { url: format!("{server}/{name}"), kind: Kind::Postgres { admin, name } }
    }

    /// The file of a SQLite database.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.kind {
            Kind::File(folder) => folder.path().join("breakers.db"),
            _ => panic!("{} is no file", self.url),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.kind, Kind::Postgres { .. })
    }

    /// Configures a store that creates its tables.
    pub(crate) fn builder(&self) -> SqlStoreBuilder {
        SqlStore::builder(&self.url).migrate(true)
    }

    /// A store with its tables.
    pub(crate) async fn store(&self) -> SqlStore {
        self.builder().connect().await.expect("a store")
    }

    /// A connection that the store knows nothing of.
    pub(crate) async fn connection(&self) -> DatabaseConnection {
        let url = match self.kind {
            Kind::File(_) => format!("{}?mode=rwc", self.url),
            _ => self.url.clone(),
        };
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(1);
        Database::connect(options).await.expect("a connection")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Kind::Postgres { admin, name } = &self.kind else { return };
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let admin = admin.clone();
        // A runtime of its own: the one of the test cannot be waited for in a destructor.
        let _ = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let server = Database::connect(&admin).await.expect("the server of the tests");
                let _ = server.execute_unprepared(&drop).await;
            });
        })
        .join();
    }
}

/// A store in a SQLite file, and its database.
pub(crate) async fn sqlite_file() -> (SqlStore, TestDatabase) {
    let database = TestDatabase::sqlite_file();
    (database.store().await, database)
}

/// A store in a SQLite database in memory.
pub(crate) async fn sqlite_memory() -> (SqlStore, TestDatabase) {
    let database = TestDatabase::sqlite_memory();
    (database.store().await, database)
}

/// A store on Postgres, and its database.
pub(crate) async fn postgres() -> (SqlStore, TestDatabase) {
    let database = TestDatabase::postgres().await;
    (database.store().await, database)
}

/// One of each.
pub(crate) async fn all() -> Vec<(SqlStore, TestDatabase)> {
    vec![sqlite_memory().await, sqlite_file().await, postgres().await]
}
