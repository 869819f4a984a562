//! The conformance suite, on the stores of this crate and on stores with one defect each, which it
//! must reject by the check that is meant for it.
#![cfg(feature = "test-util")]

mod broken;
#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[path = "../support/databases.rs"]
mod databases;
mod defects;
#[cfg(feature = "redis")]
#[path = "../support/redis_servers.rs"]
mod redis_servers;
mod rejected;
mod stores;
mod tiered;
