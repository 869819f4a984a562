//! How the circuits of a process and the store that it shares come to agree.
//!
//! A circuit acts at once and on its own. What it did is then proposed to the store, which decides
//! between the processes: `merge` has the rules; `propose` finds what a circuit did, `settle` commits it
//! by the rules, circuit by circuit, and `follow` takes over what others did; the coordinator is the
//! task that has them do so.

mod backlog;
mod circuits;
mod complaints;
mod coordinator;
mod counters;
mod dirty;
mod follow;
mod health;
mod merge;
mod mirror;
mod propose;
mod settle;
mod stop;

pub(crate) use self::{
    circuits::{Circuits, Found},
    complaints::Complaints,
    coordinator::{Coordinator, CoordinatorOptions, Shared, Uncommitted},
    counters::Counters,
    dirty::{Attribution, Dirty},
    health::Health,
    mirror::{Known, Mirror, Orders},
    stop::{Stopper, stop},
};
pub use self::{counters::CoordinatorStats, health::StoreHealth};
