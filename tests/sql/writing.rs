//! How SQLite is written to.

use std::{fs, time::Duration};

use tower_breaker::store::{EventKind, EventRecord, HistoryStore, RunId, StoreError};

use crate::{
    databases::{self, TestDatabase},
    records::event,
};

fn batch(run: RunId, number: u64) -> Vec<EventRecord> {
    (0..250).map(|at| event(run, number * 250 + at, "a", EventKind::Failure)).collect()
}

#[tokio::test]
async fn what_is_written_is_copied_from_the_log_before_sqlite_does_it() {
    let database = TestDatabase::sqlite_file();
    let store = database.store().await;
    let run = RunId::random();
    for number in 0..120 {
        store.append(&batch(run, number)).await.expect("written");
    }
    // Of a log of 64 MiB the write that finds it copies.
    let log = fs::metadata(format!("{}-wal", database.path().display())).expect("a log").len();
    assert!(log < 32 << 20, "{log} bytes");
    let mut copied = 0;
    for _ in 0..1_000 {
        copied = fs::metadata(database.path()).expect("a file").len();
        if copied > 1 << 20 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{copied} bytes are in the file");
}

#[tokio::test]
async fn nothing_is_written_to_a_store_that_was_closed() {
    for (store, database) in databases::all().await {
        let run = RunId::random();
        store.append(&batch(run, 0)).await.expect("written");
        store.close().await.expect("closed");
        let refused = store.append(&batch(run, 1)).await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable { .. })),
            "{refused:?} on {}",
            database.url
        );
    }
}
