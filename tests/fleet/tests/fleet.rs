//! What a fleet goes through in a few minutes. `cargo run --release -p tower-breaker-fleet --
//! --minutes 60` goes on for longer.

use std::path::PathBuf;

use tower_breaker_fleet::{
    Error,
    check::Verdict,
    quiet, quorum,
    storm::{self, StormOptions},
};

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_fleet"))
}

#[track_caller]
fn is_good(name: &str, verdict: Result<Verdict, Error>) {
    let verdict = verdict.unwrap_or_else(|error| panic!("{name}: {error}"));
    println!("{name}:\n{verdict}");
    assert!(verdict.is_good(), "{name}:\n{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_processes_on_a_database_keep_the_contract_whatever_happens() {
    is_good("storm", storm::run(&StormOptions { program: program(), tiered: false }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_processes_on_a_cache_and_a_database_keep_the_contract_whatever_happens() {
    is_good("tiered", storm::run(&StormOptions { program: program(), tiered: true }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_poisoned_process_of_five_opens_nobody_and_keeps_nobody_open() {
    is_good("quorum", quorum::run(&program()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_that_is_seldom_called_closes_again() {
    is_good("quiet", quiet::run(&program()).await);
}
