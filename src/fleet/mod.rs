//! How the circuits of a process and the store that it shares come to agree.
//!
//! A circuit acts at once and on its own. What it did is then proposed to the store, which decides
//! between the processes. The rules are pure: `merge` says what may be written over what, `lease` who
//! may probe, `quorum` how many processes it takes to open for all, `together` what their windows
//! say added up. `propose` finds what a circuit did, `settle` commits it by the rules, circuit by
//! circuit, `follow` takes over what others did, `probing` takes and keeps leases; the coordinator
//! is the task that has them do so (`read`, `write`, `sweep` are its steps). A `member` is the task
//! that tells the other processes of this one.

mod backlog;
mod circuits;
mod complaints;
mod coordinator;
mod counters;
mod decide;
mod differ;
mod dirty;
mod follow;
mod gates;
mod health;
mod held;
#[cfg(test)]
mod interleavings;
mod lease;
mod members;
mod merge;
mod mirror;
mod probing;
mod propose;
mod quorum;
mod read;
mod scope;
mod settle;
mod shared;
mod stop;
mod sweep;
mod together;
mod votes;
mod write;

pub(crate) use self::{
    circuits::{Circuits, Found},
    complaints::Complaints,
    coordinator::Coordinator,
    counters::Counters,
    dirty::{Attribution, Dirty},
    gates::Gates,
    health::Health,
    held::Leases,
    members::{Member, MemberOptions},
    mirror::{Known, Mirror, Orders},
    scope::Scopes,
    shared::{CoordinatorOptions, Record, Shared, Uncommitted},
    stop::{Stopper, stop},
    votes::Votes,
};
pub use self::{counters::CoordinatorStats, health::StoreHealth, scope::Scope};
