//! Measures tower-breaker side by side with the physical limit and with its peers: time a call,
//! allocations a call, bytes a breaker. See the README beside this crate for what each row is.
//!
//! It is a program of its own rather than a criterion benchmark because its targets are ratios
//! between rows: every round runs a batch of every row, and several processes do the same.

pub mod baseline;
pub mod cli;
pub mod duo;
pub mod inner;
pub mod memory;
pub mod ours;
pub mod peers;
pub mod process;
pub mod report;
pub mod row;
pub mod scenario;
pub mod subject;
pub mod targets;
