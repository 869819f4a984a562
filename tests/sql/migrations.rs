//! The tables.

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use sea_orm_migration::MigratorTrait;
use tower_breaker::store::{
    AlertRecord, HistoryStore, Severity, StateStore, StoreError, Timestamp, sql::SqlStore,
};
use tower_breaker_migration::{MIGRATION_TABLE, Migrator};

use crate::{databases::TestDatabase, records::service};

async fn databases() -> [TestDatabase; 2] {
    [TestDatabase::sqlite_file(), TestDatabase::postgres().await]
}

async fn tables(db: &DatabaseConnection) -> Vec<String> {
    let select = match db.get_database_backend() {
        sea_orm::DbBackend::Postgres => {
            "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        }
        _ => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        }
    };
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), select)).await;
    rows.expect("tables").iter().map(|row| row.try_get_by_index(0).expect("a name")).collect()
}

#[tokio::test]
async fn the_tables_are_created_and_dropped_beside_those_of_an_application() {
    for database in databases().await {
        let db = database.connection().await;
        let application = "CREATE TABLE orders (id INTEGER PRIMARY KEY); \
             CREATE TABLE seaql_migrations (version TEXT PRIMARY KEY, applied_at BIGINT); \
             INSERT INTO seaql_migrations VALUES ('m1_of_the_application', 1)";
        db.execute_unprepared(application).await.expect("the application's tables");
        let theirs = tables(&db).await;

        assert_eq!(Migrator::pending(&db).await.expect("pending").len(), 1);
        Migrator::up(&db, None).await.expect("up");
        Migrator::up(&db, None).await.expect("up again");
        assert_eq!(Migrator::pending(&db).await.expect("pending"), [""; 0]);
        let created = tables(&db).await;
        for table in ["states", "events", "failure_patterns", "metrics", "alerts", "silences"] {
            assert!(created.contains(&format!("circuit_breaker_{table}")), "{created:?}");
        }
        db.execute_unprepared("INSERT INTO circuit_breaker_leases VALUES ('a', 1, 1, 1, 1)")
            .await
            .expect("a row");
        Migrator::fresh(&db).await.expect("fresh");
        assert_eq!(tables(&db).await, created);
        let left = "SELECT name FROM circuit_breaker_leases";
        let left = Statement::from_string(db.get_database_backend(), left);
        assert!(db.query_one_raw(left).await.expect("a query").is_none(), "fresh empties ours");

        Migrator::down(&db, None).await.expect("down");
        let mut left = tables(&db).await;
        left.retain(|table| table != MIGRATION_TABLE);
        assert_eq!(left, theirs);
        Migrator::up(&db, None).await.expect("up after down");
        Migrator::refresh(&db).await.expect("refresh");
        Migrator::reset(&db).await.expect("reset");
        assert_eq!(tables(&db).await, theirs);
        let kept = "SELECT version FROM seaql_migrations";
        let kept = Statement::from_string(db.get_database_backend(), kept);
        assert!(db.query_one_raw(kept).await.expect("a query").is_some());
        db.close().await.expect("closing");
    }
}

#[tokio::test]
async fn many_may_migrate_at_the_same_time() {
    for database in databases().await {
        let migrating: Vec<_> = (0..8)
            .map(|_| {
                let store = database.builder().connect_lazy().expect("a store");
                tokio::spawn(async move { store.migrate().await })
            })
            .collect();
        for migrated in migrating {
            migrated.await.expect("no panic").expect("migrated");
        }
        let store = SqlStore::connect(&database.url).await.expect("a store");
        assert_eq!(store.pending_migrations().await.expect("pending"), [""; 0]);
    }
}

#[tokio::test]
async fn missing_tables_are_an_error_that_says_what_to_do() {
    for database in databases().await {
        let store = SqlStore::connect(&database.url).await.expect("a store");
        for error in [
            store.load_all(None).await.expect_err("no tables"),
            store.forget_tombstones(std::time::Duration::ZERO, 1).await.expect_err("no tables"),
        ] {
            assert!(matches!(error, StoreError::Schema { .. }), "{error:?}");
            let said = error.to_string();
            assert!(said.contains("SqlStore::migrate()"), "{said}");
            assert!(said.contains("tower-breaker-migration"), "{said}");
        }
    }
}

#[tokio::test]
async fn newer_tables_are_an_error_that_says_so() {
    for database in databases().await {
        let (store, db) = (database.store().await, database.connection().await);
        let newer = format!("INSERT INTO {MIGRATION_TABLE} VALUES ('m99999999_newer', 1)");
        db.execute_unprepared(&newer).await.expect("a row");
        for error in [
            store.migrate().await.expect_err("newer"),
            SqlStore::connect(&database.url).await.expect_err("newer"),
        ] {
            assert!(matches!(error, StoreError::Schema { .. }), "{error:?}");
            let said = error.to_string();
            assert!(said.contains("newer than this version"), "{said}");
            assert!(said.contains("m99999999_newer"), "{said}");
        }
        let refused = Migrator::down(&db, None).await.expect_err("newer").to_string();
        assert!(refused.contains("newer than this version"), "{refused}");
        db.close().await.expect("closing");
    }
}

/// SQLite can corrupt a database before this version.
#[tokio::test]
async fn sqlite_is_new_enough() {
    let db = TestDatabase::sqlite_memory().connection().await;
    let version = Statement::from_string(db.get_database_backend(), "SELECT sqlite_version()");
    let row = db.query_one_raw(version).await.expect("a query").expect("a row");
    let version: String = row.try_get_by_index(0).expect("a version");
    let numbers: Vec<u32> =
        version.split('.').map(|part| part.parse().expect("a number")).collect();
    assert!(numbers >= vec![3, 51, 3], "{version}");
}

/// The query of the requirement, as a person writes it.
#[tokio::test]
async fn a_person_finds_the_alerts_that_nobody_took_note_of() {
    for database in databases().await {
        let (store, db) = (database.store().await, database.connection().await);
        let at = Timestamp::from_micros(1).expect("a time");
        for key in ["a", "b"] {
            let mut alert =
                AlertRecord::new(key.to_owned(), "opened".to_owned(), Severity::Error, at);
            alert.service = Some(service("api"));
            store.raise_alert(&alert).await.expect("raised");
        }
        store.acknowledge_alert("b", "ann", at).await.expect("noted");
        let select = "SELECT alert_key FROM circuit_breaker_alerts \
                      WHERE service_name = 'api' AND acknowledged = FALSE ORDER BY created_at DESC";
        let select = Statement::from_string(db.get_database_backend(), select);
        let rows = db.query_all_raw(select).await.expect("a query");
        let keys: Vec<String> =
            rows.iter().map(|row| row.try_get_by_index(0).expect("a key")).collect();
        assert_eq!(keys, ["a"]);
        db.close().await.expect("closing");
    }
}
