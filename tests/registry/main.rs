//! What a registry remembers, and how registries that share a store agree. They are in one process
//! here, on paused time; `tests/torture` has real ones.
#![cfg(feature = "test-util")]

mod fleet;
mod keyed;
mod operators;
mod outages;
mod peers;
mod restarts;
mod scopes;
mod support;
