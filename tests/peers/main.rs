//! The defects that were found in other circuit breakers, one test each: what their users met must
//! be impossible here.
#![cfg(feature = "test-util")]

mod recovery;
#[path = "../support/mod.rs"]
mod support;
mod telling;
mod tripping;
