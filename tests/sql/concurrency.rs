//! Many at once, some of whom go away.

use std::time::Duration;

use futures_util::StreamExt;
use sea_orm::ConnectionTrait;
use tower_breaker::store::{
    ChangeHint, EventKind, EventQuery, Expected, HistoryStore, Lane, RunId, StateStore, Stored,
};

use crate::{
    databases::{self, TestDatabase},
    records::{after, event, first, open, service},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stores_that_race_make_one_chain_of_versions() {
    const WRITES: u64 = 40;
    for database in [TestDatabase::sqlite_file(), TestDatabase::postgres().await] {
        let first_store = database.store().await;
        let mut racing = Vec::new();
        for _ in 0..4 {
            let store = database.store().await;
            racing.push(tokio::spawn(async move {
                let run = RunId::random();
                let (mut won, mut conflicts) = (0, 0);
                while won < WRITES {
                    let found = store.load(&service("a")).await.expect("read");
                    let before =
                        found.as_ref().map_or(0, |found| found.version(Lane::State).counter);
                    let expected = Expected::found(Lane::State, found.as_ref());
                    let mut note = event(run, won, "a", EventKind::StateChange);
                    let next = open("a", before + 1);
                    note.version = Some(next.state.version);
                    match store.compare_and_swap(expected, &next, Some(&note)).await {
                        Ok(_) => won += 1,
                        Err(error) if error.is_conflict() => conflicts += 1,
                        Err(error) => panic!("{error}: {error:?}"),
                    }
                }
                conflicts
            }));
        }
        let mut conflicts = 0;
        for racer in racing {
            conflicts += racer.await.expect("no panic");
        }
        assert!(conflicts > 0, "nobody raced");
        let events = first_store.events(&EventQuery::of(service("a"))).await.expect("read").items;
        let mut versions: Vec<u64> =
            events.iter().filter_map(|event| Some(event.version?.counter)).collect();
        versions.sort_unstable();
        assert_eq!(versions, (1..=4 * WRITES).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_future_that_is_dropped_leaves_all_or_nothing_and_a_store_that_works() {
    for (store, database) in databases::all().await {
        let run = RunId::random();
        let mut left = 0;
        for round in 1..=150_u64 {
            let found = store.load(&service("a")).await.expect("read");
            let before = found.as_ref().map_or(0, |found| found.version(Lane::State).counter);
            let next = open("a", before + 1);
            let mut note = event(run, round, "a", EventKind::StateChange);
            note.version = Some(next.state.version);
            let expected = Expected::found(Lane::State, found.as_ref());
            let writing = store.compare_and_swap(expected, &next, Some(&note));
            let patience = Duration::from_micros(round * 13 % 1500);
            if tokio::time::timeout(patience, writing).await.is_err() {
                left += 1;
            }
            let batch: Vec<_> =
                (0..30).map(|at| event(run, round * 1000 + at, "b", EventKind::Failure)).collect();
            let _ = tokio::time::timeout(patience, store.append(&batch)).await;
        }
        assert!(left > 0, "none was dropped on {}", database.url);
        // What was begun ends; then every write has its event and every batch is whole.
        let mut last = None;
        for _ in 0..200 {
            let stored = store.load(&service("a")).await.expect("read");
            let version = stored.map(|stored| stored.version(Lane::State).counter);
            let mut query = EventQuery::of(service("a"));
            query.limit = 1000;
            let events = store.events(&query).await.expect("read").items.len() as u64;
            let mut query = EventQuery::of(service("b"));
            query.limit = 10_000;
            let batches = store.events(&query).await.expect("read").items.len();
            let now = (version, events, batches);
            if last == Some(now) {
                break;
            }
            last = Some(now);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (version, events, batches) = last.expect("a look");
        assert_eq!(version.unwrap_or(0), events, "{}", database.url);
        assert_eq!(batches % 30, 0, "{}", database.url);
        if database.is_postgres() {
            let db = database.connection().await;
            let idle = "SELECT pid FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' \
                        AND datname = current_database()";
            let idle = sea_orm::Statement::from_string(db.get_database_backend(), idle);
            assert!(db.query_one_raw(idle).await.expect("a query").is_none(), "poisoned");
            db.close().await.expect("closing");
        }
    }
}

#[tokio::test]
async fn a_database_that_is_locked_is_waited_for_and_then_unavailable() {
    let database = TestDatabase::sqlite_file();
    let store = database
        .builder()
        .operation_timeout(Duration::from_millis(400))
        .connect()
        .await
        .expect("a store");
    let other = database.connection().await;
    other.execute_unprepared("BEGIN IMMEDIATE").await.expect("a lock");
    let error = store.compare_and_swap(first(Lane::State), &open("a", 1), None).await;
    let error = error.expect_err("somebody else holds the lock");
    assert!(error.is_unavailable(), "{error:?}");
    assert!(store.load(&service("a")).await.is_ok(), "reading needs no lock");
    let next = open("b", 1);
    let waiting = store.compare_and_swap(first(Lane::State), &next, None);
    let release = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        other.execute_unprepared("ROLLBACK").await.expect("no lock");
    };
    let (written, ()) = tokio::join!(waiting, release);
    written.expect("the lock was given back in time");
    other.close().await.expect("closing");
}

#[tokio::test]
async fn a_watcher_is_told_what_others_wrote() {
    for database in [TestDatabase::sqlite_file(), TestDatabase::postgres().await] {
        let (one, two) = (database.store().await, database.store().await);
        let mut hints = one.watch();
        let soon = Duration::from_secs(20);
        let hint = tokio::time::timeout(soon, hints.next()).await.expect("in time");
        assert_eq!(hint, Some(ChangeHint::Resync));
        for (round, store) in [&two, &one, &two].into_iter().enumerate() {
            let name = format!("service {round}");
            store
                .compare_and_swap(first(Lane::State), &open(&name, 1), None)
                .await
                .expect("written");
            loop {
                let hint = tokio::time::timeout(soon, hints.next()).await.expect("in time");
                if hint == Some(ChangeHint::Changed(service(&name))) {
                    break;
                }
            }
        }
        two.remove(&service("service 0"), after(Lane::State, 1)).await.expect("removed");
        let removed = ChangeHint::Changed(service("service 0"));
        while tokio::time::timeout(soon, hints.next()).await.expect("in time")
            != Some(removed.clone())
        {}
    }
}

#[tokio::test]
async fn a_watcher_whose_connection_is_ended_goes_on_after_a_resync() {
    let database = TestDatabase::postgres().await;
    let (one, two) = (database.store().await, database.store().await);
    let mut hints = one.watch();
    let soon = Duration::from_secs(20);
    tokio::time::timeout(soon, hints.next()).await.expect("in time");
    let db = database.connection().await;
    db.execute_unprepared(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await
    .expect("the others are gone");
    let mut written = two.compare_and_swap(first(Lane::State), &open("a", 1), None).await;
    if written.as_ref().is_err_and(|error| error.is_unavailable()) {
        // The connection that was ended is found to be at most once.
        written = two.compare_and_swap(first(Lane::State), &open("a", 1), None).await;
    }
    written.expect("written");
    loop {
        match tokio::time::timeout(soon, hints.next()).await.expect("in time") {
            Some(ChangeHint::Changed(name)) if name == service("a") => break,
            Some(ChangeHint::Resync) => {
                let stored = two.load(&service("a")).await.expect("read");
                if matches!(stored, Some(Stored::Record(_))) {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    db.close().await.expect("closing");
}
