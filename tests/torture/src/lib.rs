//! Real processes that share a real store, what happens to them, and whether they left it as they
//! should have.
//!
//! [`worker`] is the process: a registry under load, whose store is a [`Witness`](witness::Witness)
//! that says what is tried and what was acknowledged, as [lines](line::Line) on the standard output.
//! [`process`] starts, hears and kills such processes. A [`Ledger`](ledger::Ledger) collects what
//! they said, and [`check`] compares it with what the store has. The scenarios are [`kill`] and
//! [`race`]; those of broken servers are tests, with a [`rig`] in their own process.

pub mod check;
pub mod database;
pub mod kill;
pub mod ledger;
pub mod line;
pub mod log;
pub mod postgres;
pub mod process;
pub mod race;
pub mod rig;
pub mod speed;
pub mod witness;
pub mod worker;

/// What goes wrong with a scenario itself.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
