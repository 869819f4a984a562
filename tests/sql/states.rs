//! Writing and reading the states of circuits.

use std::time::Duration;

use tower_breaker::store::{
    Cursor, EventKind, EventQuery, HistoryStore, Lane, RunId, StateStore, StoreError, Stored,
};

use crate::{
    databases,
    records::{after, event, first, open, service},
};

#[tokio::test]
async fn a_record_is_read_as_it_was_written() {
    for (store, database) in databases::all().await {
        let mut next = open("größe/\"; DROP TABLE circuit_breaker_states; --", 1);
        next.age = Duration::from_secs(7);
        next.extra.insert("new".to_owned(), serde_json::json!({"a": [1, 2.5, null, "x"]}));
        store.compare_and_swap(first(Lane::State), &next, None).await.expect("written");
        let Some(Stored::Record(read)) = store.load(&next.service).await.expect("read") else {
            panic!("no record in {}", database.url);
        };
        assert!((7.0..9.0).contains(&read.age.as_secs_f64()), "{:?}", read.age);
        next.age = read.age;
        next.state.changed_at = read.state.changed_at;
        assert_eq!(read, next, "{}", database.url);
        let all = store.load_all(None).await.expect("read");
        assert_eq!(all.stored.len(), 1);
    }
}

#[tokio::test]
async fn one_of_two_writers_wins_and_the_other_is_shown_what_is_there() {
    for (store, _database) in databases::all().await {
        let run = RunId::random();
        let winner = open("a", 1);
        let note = event(run, 1, "a", EventKind::StateChange);
        let committed = store.compare_and_swap(first(Lane::State), &winner, Some(&note)).await;
        assert_eq!(committed.expect("written").version, winner.state.version);
        let loser = open("a", 1);
        let lost = event(run, 2, "a", EventKind::StateChange);
        let conflict = store.compare_and_swap(first(Lane::State), &loser, Some(&lost)).await;
        let Err(StoreError::Conflict { current: Some(current) }) = conflict else {
            panic!("{conflict:?}");
        };
        let current = current.record().expect("a record");
        assert_eq!(current.state.change_id, winner.state.change_id);

        let next = open("a", 2);
        let note = event(run, 3, "a", EventKind::StateChange);
        store.compare_and_swap(after(Lane::State, 1), &next, Some(&note)).await.expect("written");
        let events = store.events(&EventQuery::of(service("a"))).await.expect("read").items;
        let sequences: Vec<u64> = events.iter().map(|event| event.id.sequence).collect();
        assert_eq!(sequences, [1, 3], "the event of a write that lost is not there");
        assert!(events.iter().all(|event| event.id.run == run));
    }
}

#[tokio::test]
async fn a_removed_circuit_leaves_its_versions() {
    for (store, _database) in databases::all().await {
        let a = service("a");
        store.compare_and_swap(first(Lane::State), &open("a", 3), None).await.expect("written");
        store.remove(&a, after(Lane::State, 3)).await.expect("removed");
        let Some(Stored::Tombstone(left)) = store.load(&a).await.expect("read") else {
            panic!("no tombstone");
        };
        assert_eq!(left.versions.state.counter, 3);
        assert!(left.age < Duration::from_secs(2));
        let again = store.remove(&a, after(Lane::State, 3)).await;
        assert!(again.expect_err("removed before").is_conflict());
        let missing = store.compare_and_swap(first(Lane::State), &open("a", 1), None).await;
        assert!(missing.expect_err("it is not missing").is_conflict());
        store.compare_and_swap(after(Lane::State, 3), &open("a", 4), None).await.expect("written");
        assert!(matches!(store.load(&a).await, Ok(Some(Stored::Record(_)))));

        store.remove(&a, after(Lane::State, 4)).await.expect("removed");
        assert_eq!(store.forget_tombstones(Duration::from_secs(60), 10).await.expect("none"), 0);
        assert_eq!(store.forget_tombstones(Duration::ZERO, 10).await.expect("one"), 1);
        assert_eq!(store.load(&a).await.expect("read"), None);
    }
}

#[tokio::test]
async fn whoever_reads_since_a_cursor_misses_no_write() {
    for (store, _database) in databases::all().await {
        let mut cursor = None;
        for round in 1..=20 {
            let name = format!("service {}", round % 3);
            let next = open(&name, round);
            let expected = tower_breaker::store::Expected::found(
                Lane::State,
                store.load(&next.service).await.expect("read").as_ref(),
            );
            store.compare_and_swap(expected, &next, None).await.expect("written");
            let changed = store.load_all(cursor).await.expect("read");
            assert!(
                changed.stored.iter().any(|stored| stored.service() == &next.service
                    && stored.version(Lane::State).counter == round),
                "round {round}"
            );
            if round % 5 == 0 {
                // The highest cursors are gone, and are not given out again.
                let version = after(Lane::State, round);
                store.remove(&next.service, version).await.expect("removed");
                cursor = Some(store.load_all(cursor).await.expect("read").cursor);
                store.forget_tombstones(Duration::ZERO, 10).await.expect("forgotten");
            } else {
                cursor = Some(changed.cursor);
            }
        }
        let far = Some(Cursor(u64::MAX));
        assert_eq!(store.load_all(far).await.expect("read").stored.len(), 2, "another database");
    }
}
