//! The store in Redis: what the conformance suite cannot see.
//!
//! The shared server comes from `scripts/servers`; tests that stop or kill theirs start it
//! themselves.

mod bad_input;
mod evicted;
mod hints;
mod keys;
mod outages;
#[path = "../support/redis_servers.rs"]
mod redis_servers;
mod support;
mod users;
mod wrong_servers;
