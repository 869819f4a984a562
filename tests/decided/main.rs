//! What the crate decided where other circuit breakers differ, and what it promises besides: one test
//! for each sentence.
#![cfg(feature = "test-util")]

mod adoption;
mod backoff;
mod circuit;
mod events;
mod half_open;
mod in_flight;
mod judging;
mod latencies;
mod on_create;
mod operators;
mod panics;
mod permits;
mod snapshot;
#[path = "../support/mod.rs"]
mod support;
