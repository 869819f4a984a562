//! What a tiered store does when a tier goes away and comes back. Time is paused.
#![cfg(feature = "test-util")]

mod epochs;
mod registry;
mod support;
mod tombstones;
