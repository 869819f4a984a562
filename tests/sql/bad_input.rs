//! URLs, names and rows that are wrong.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tower_breaker::{
    ServiceName,
    store::{
        CircuitRecord, EventKind, EventQuery, HistoryStore, Lane, RunId, StateStore, StoreError,
        sql::SqlStore,
    },
};

use crate::{
    databases::{self, POSTGRES, TestDatabase},
    records::{event, first, open, service},
};

/// All that an error says, to people and to programmers.
fn said(error: &StoreError) -> String {
    let mut said = format!("{error} | {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        said.push_str(&format!(" | {error} | {error:?}"));
        source = error.source();
    }
    said
}

#[tokio::test]
async fn a_wrong_url_is_an_error_that_says_what_is_wrong() {
    for (url, expected) in [
        ("", "scheme of the store's URL is missing"),
        ("breakers.db", "scheme of the store's URL is missing"),
        ("mysql://u:hunter2@h/d", "is `mysql` but must be `sqlite` or `postgres`"),
        ("sqlite://", "has no path"),
        ("sqlite:///no/such/folder/a.db", "the folder `/no/such/folder`"),
        ("sqlite://a.db?mode=nonsense", "not one of SQLite"),
        ("postgres://u:hunter2@h:notaport/d", "not one of Postgres"),
        ("postgres://u:hunter2@[::1/d", "not one of Postgres"),
    ] {
        let error = SqlStore::connect(url).await.expect_err(url);
        assert!(matches!(error, StoreError::Configuration { .. }), "{url}: {error:?}");
        let said = said(&error);
        assert!(said.contains(expected), "{url}: {said}");
        assert!(!said.contains("hunter2"), "{url}: {said}");
    }
}

#[tokio::test]
async fn a_folder_is_no_database_and_neither_is_a_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = SqlStore::connect(format!("sqlite://{}", folder.path().display())).await;
    assert!(matches!(error, Err(StoreError::Configuration { .. })), "{error:?}");
    let text = folder.path().join("text.db");
    std::fs::write(
        &text,
        "this is not a database, and it is long enough to be looked at ".repeat(99),
    )
    .expect("a file");
    let error = SqlStore::connect(format!("sqlite://{}", text.display())).await;
    assert!(matches!(error, Err(StoreError::Corrupt { .. })), "{error:?}");
}

#[tokio::test]
async fn a_password_is_never_shown() {
    let database = TestDatabase::postgres().await;
    let (scheme, rest) = database.url.split_once("://").expect("a URL");
    let (_, place) = rest.split_once('@').expect("a user");
    let user = format!("{scheme}://breaker:hunter2hunter2@{place}");
    let nowhere = "postgres://breaker:hunter2hunter2@127.0.0.1:1/nowhere".to_owned();
    let (server, _) = database.url.rsplit_once('/').expect("a database");
    let missing = format!("{server}/no_such_database");
    let password = database.url.split(':').nth(2).and_then(|rest| rest.split('@').next());
    for (url, configuration) in [(user, true), (nowhere, false), (missing, true)] {
        let builder =
            SqlStore::builder(&url).operation_timeout(std::time::Duration::from_millis(900));
        assert!(!format!("{builder:?}").contains("hunter2"));
        let error = builder.connect().await.expect_err("no such user, server or database");
        assert_eq!(matches!(error, StoreError::Configuration { .. }), configuration, "{error:?}");
        let said = said(&error);
        assert!(!said.contains("hunter2"), "{said}");
        assert!(password.is_none_or(|password| !said.contains(password)), "{said}");
    }
    let store = database.store().await;
    assert!(!format!("{store:?}").contains(password.expect("a password")), "{store:?}");
    assert!(std::env::var(POSTGRES).is_ok());
}

#[tokio::test]
async fn names_of_every_length_and_script_are_kept() {
    let names: Vec<String> = (1..=256)
        .map(|length| "x".repeat(length))
        .chain((1..=64).map(|length| "漢".repeat(length)))
        .chain((1..=64).map(|length| "🦀".repeat(length)))
        .chain(
            [
                "'; DROP TABLE circuit_breaker_states; --",
                "\"",
                "`",
                "$1",
                "?",
                ":a",
                "%",
                "_",
                "\\",
                "{}",
                "[1]",
                "null",
                " ",
                "a b",
                "קלט",
                "مدخل",
                "é",
                "e\u{301}",
                "A",
                "a",
                "\u{202e}rtl",
                "\u{feff}bom",
                "/*",
                "*/",
                "E'\\x00'",
            ]
            .map(str::to_owned),
        )
        .filter(|name| name.len() <= ServiceName::MAX_LEN)
        .collect();
    for (store, database) in databases::all().await {
        let run = RunId::random();
        let mut seen = std::collections::HashSet::new();
        for (at, name) in names.iter().enumerate().filter(|(_, name)| seen.insert(*name)) {
            let note = event(run, at as u64, name, EventKind::StateChange);
            let next = open(name, 1);
            let written = store.compare_and_swap(first(Lane::State), &next, Some(&note)).await;
            written.unwrap_or_else(|error| panic!("{name:?} in {}: {error}", database.url));
        }
        let loaded = store.load_all(None).await.expect("read");
        assert_eq!((loaded.stored.len(), loaded.corrupt.len()), (seen.len(), 0));
        for name in seen {
            let stored = store.load(&service(name)).await.expect("read").expect("a record");
            assert_eq!(stored.service().as_str(), name);
            let events = store.events(&EventQuery::of(service(name))).await.expect("read");
            assert_eq!(events.items.len(), 1, "{name:?}");
        }
    }
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused_before_anything_is_written() {
    for (store, _database) in databases::all().await {
        let mut next = open("a", 1);
        next.state.reason = Some("a\0b".to_owned());
        let refused = store.compare_and_swap(first(Lane::State), &next, None).await;
        assert!(matches!(refused, Err(StoreError::Invalid { field: "reason", .. })), "{refused:?}");
        let mut bad = event(RunId::random(), 2, "a", EventKind::Failure);
        bad.weight = 0;
        let good = event(RunId::random(), 1, "a", EventKind::Failure);
        assert!(store.append(&[good, bad.clone()]).await.is_err());
        let refused = store.compare_and_swap(first(Lane::State), &open("a", 1), Some(&bad)).await;
        assert!(refused.is_err());
        assert!(store.load(&service("a")).await.expect("read").is_none());
        assert!(store.events(&EventQuery::all()).await.expect("read").items.is_empty());
        assert!(store.acknowledge_alert("a", "\0", Default::default()).await.is_err());
    }
}

async fn without_checks(db: &DatabaseConnection) {
    if db.get_database_backend() == sea_orm::DbBackend::Sqlite {
        db.execute_unprepared("PRAGMA ignore_check_constraints = ON").await.expect("a pragma");
        return;
    }
    let drop = "DO $$ DECLARE c RECORD; BEGIN FOR c IN SELECT conname, conrelid::regclass AS t \
        FROM pg_constraint WHERE contype = 'c' AND conrelid::regclass::text LIKE 'circuit_%' \
        LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname); END LOOP; END $$";
    db.execute_unprepared(drop).await.expect("no constraints");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_and_the_others_are_read() {
    for database in [TestDatabase::sqlite_file(), TestDatabase::postgres().await] {
        let (store, db) = (database.store().await, database.connection().await);
        without_checks(&db).await;
        for name in ["good", "bad"] {
            let next = open(name, 1);
            store.compare_and_swap(first(Lane::State), &next, None).await.expect("written");
        }
        let mut cases = vec![
            ("current_state = 'melted'", "current_state is `melted`"),
            ("current_state = 'disabled'", "current_state is the override `disabled`"),
            ("state_changed_at = -5", "state_changed_at is -5"),
            ("state_version = -1", "state_version is -1"),
            ("reopens = 5000000000", "reopens is 5000000000"),
            ("open_for_micros = -1", "open_for_micros is -1"),
            ("lease_token = NULL", "lease_token"),
            ("override_state = 'open'", "override_state is `open`"),
            ("last_failure_time = -1", "last_failure_time is -1"),
            ("extra = '[1]'", "extra is not its JSON"),
            ("settings_changes = '7'", "settings_changes is not its JSON"),
            ("removed_at = -1", "removed_at is -1"),
            ("service_name = ''", "service_name"),
        ];
        if !database.is_postgres() {
            cases.push(("extra = '{'", "extra is not its JSON"));
            cases.push(("reason = CAST(x'ff' AS TEXT)", "reason cannot be read"));
        }
        let save = "CREATE TABLE saved AS SELECT * FROM circuit_breaker_states";
        db.execute_unprepared(save).await.expect("a copy");
        for (change, expected) in cases {
            let damage =
                format!("UPDATE circuit_breaker_states SET {change} WHERE service_name = 'bad'");
            db.execute_unprepared(&damage)
                .await
                .unwrap_or_else(|error| panic!("{change}: {error}"));
            let loaded = store.load_all(None).await.expect("read");
            assert_eq!(loaded.stored.len(), 1, "{change}");
            let [StoreError::Corrupt { place, row, problem }] = &loaded.corrupt[..] else {
                panic!("{change}: {:?}", loaded.corrupt);
            };
            assert_eq!(place, "circuit_breaker_states");
            assert!(row == "bad" || change.starts_with("service_name"), "{change}: {row}");
            assert!(problem.contains(expected), "{change}: {problem}");
            if row == "bad" {
                let error = store.load(&service("bad")).await.expect_err("it cannot be read");
                assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
            }
            db.execute_unprepared(
                "DELETE FROM circuit_breaker_states WHERE service_name <> 'good'; \
                 INSERT INTO circuit_breaker_states SELECT * FROM saved WHERE service_name = 'bad'",
            )
            .await
            .expect("mended");
        }
        // A time in the future is no error: the age is zero.
        let future = "UPDATE circuit_breaker_states SET state_changed_at = 9000000000000000000";
        db.execute_unprepared(future).await.expect("damaged");
        for stored in store.load_all(None).await.expect("read").stored {
            let record: CircuitRecord = stored.record().expect("a record");
            assert_eq!(record.age, std::time::Duration::ZERO);
        }
        db.close().await.expect("closing");
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_named() {
    for database in [TestDatabase::sqlite_file(), TestDatabase::postgres().await] {
        let (store, db) = (database.store().await, database.connection().await);
        let note = event(RunId::random(), 1, "a", EventKind::Failure);
        store.append(&[note]).await.expect("written");
        for (change, expected) in [
            ("event_type = 'explosion'", "event_type is `explosion`"),
            ("weight = -1", "weight is -1"),
            ("trace_id = 'xyz'", "trace_id is `xyz`"),
            ("instance = 77", "no such instance"),
        ] {
            let damage = format!("UPDATE circuit_breaker_events SET {change}");
            db.execute_unprepared(&damage).await.expect("damaged");
            let error = store.events(&EventQuery::all()).await.expect_err("damaged").to_string();
            assert!(error.contains("circuit_breaker_events"), "{error}");
            assert!(error.contains(expected), "{error}");
            db.execute_unprepared(
                "UPDATE circuit_breaker_events SET event_type = 'failure', weight = 1, trace_id = NULL",
            )
            .await
            .expect("mended");
        }
        db.close().await.expect("closing");
    }
}
