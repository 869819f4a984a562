//! Processes that fight over the same circuits leave one chain and end in one state.

use std::path::PathBuf;

use tower_breaker_torture::race::{self, RaceOptions};

async fn agrees(store: &str) {
    let options = RaceOptions {
        program: PathBuf::from(env!("CARGO_BIN_EXE_torture")),
        store: store.to_owned(),
        processes: 4,
        conflicts: 100,
    };
    let report = race::run(&options).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{report}");
    assert!(report.is_good(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_on_one_sqlite_file_agree() {
    agrees("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_on_one_postgres_agree() {
    agrees("postgres").await;
}
