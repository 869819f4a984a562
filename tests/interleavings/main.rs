//! The rules that processes agree by, through all interleavings of a few of them with what can go
//! wrong. Each known broken rule is rejected, by the invariant that is meant for it.

#![cfg(feature = "test-util")]

mod model;
mod tiered;
mod world;
