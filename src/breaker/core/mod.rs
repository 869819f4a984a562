//! The live circuit: a plain [`Circuit`](crate::circuit::Circuit) behind a mutex that leases the
//! counting of successes to atomic words.
//!
//! A verdict can only change with a result that is not a plain success, with time, or with the
//! success that completes the minimum. Until one of those comes, the circuit says how many plain
//! successes cannot change anything (its slack), and the holder of the lock writes them into the
//! words of a few [lanes](Lane), together with the time they are good for. A healthy call then
//! checks one gate word, and takes one off its lane's word when it succeeds. Whoever needs the lock
//! first takes all leases back and books what was used, so that each verdict sees what judging every
//! result one by one would have seen.
//!
//! The order of loads and stores that this rests on:
//! - A lease is written after the gate and the time it is good for; whoever sees the lease sees
//!   both.
//! - A lease is taken back before the gate or the time is changed; whoever still takes one off it
//!   did so before the change.
//! - The gate is one word for all lanes, so no thread sees an open circuit while another admits.

mod gate;
mod in_flight;
mod lane;
mod ledger;
mod live;
mod locked;
#[cfg(all(test, tower_breaker_loom))]
mod loom_tests;

pub(crate) use self::{
    gate::GateWord,
    lane::{Lane, Lanes, Padded},
    live::{LiveCircuit, UNREAD},
    locked::{Effects, Read},
};
