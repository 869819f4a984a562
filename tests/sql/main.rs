//! The stores in SQLite and Postgres.
//!
//! The server for Postgres comes from `scripts/servers`.

mod bad_input;
mod concurrency;
#[path = "../support/databases.rs"]
mod databases;
mod history;
mod migrations;
mod plans;
mod records;
mod states;
mod writing;
