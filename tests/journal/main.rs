//! The journal against stores that are slow, down, or lie.
#![cfg(feature = "test-util")]

mod causes;
mod counting;
mod ending;
mod flushing;
mod killed;
mod outage;
mod refusing;
mod retention;
mod sampling;
mod spilling;
mod support;
mod writing;
