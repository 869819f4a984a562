//! A process is killed where it hurts, and comes back.

use std::path::PathBuf;

use tower_breaker_torture::kill::{self, KillOptions};

#[track_caller]
fn survives(store: &str, kills: u32) -> impl Future<Output = ()> {
    let options = KillOptions {
        program: PathBuf::from(env!("CARGO_BIN_EXE_torture")),
        store: store.to_owned(),
        kills,
        seed: fastrand::u64(..),
    };
    async move {
        let report = kill::run(&options).await.unwrap_or_else(|error| panic!("{error}"));
        println!("{report}");
        assert!(report.is_good(), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_to_sqlite_survives_kill_9() {
    survives("sqlite", 24).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_to_postgres_survives_kill_9() {
    survives("postgres", 18).await;
}
