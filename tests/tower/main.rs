//! The tower middleware: its contract with what is inside and outside of it, and the stacks that it
//! has to work in.
#![cfg(feature = "test-util")]

mod cancel;
mod inner;
mod keyed;
mod limits;
mod nested;
mod panics;
mod readiness;
mod sharing;
mod stacks;
#[path = "../support/mod.rs"]
mod support;
mod types;
mod wait;
mod waking;
