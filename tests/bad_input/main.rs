//! Settings, names, clocks and durations that make no sense: a clear error or defined behaviour.
//!
//! Classifiers and observers that panic are in `decided/panics.rs`.
#![cfg(feature = "test-util")]

mod clocks;
mod extremes;
mod names;
mod serial;
mod settings;
#[path = "../support/mod.rs"]
mod support;
