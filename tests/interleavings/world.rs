//! What is seen of processes that share a cache and a durable store by who sees all.

use tower_breaker::store::{
    ChangeId, Lane,
    tiered::rule::{Held, Kept, Variant, Write},
};

pub(crate) const PROCESSES: usize = 3;
/// Changes: that of the start, and those of the processes' writes.
pub(crate) const CHANGES: usize = 1 + PROCESSES * 2;

// The invariants.

/// No two processes hold a lease that both could have seen.
pub(crate) const ONE_HOLDER: &str = "one_holder";
/// Nothing takes the place of a lease that its decider could have seen.
pub(crate) const LEASE_STAYS: &str = "a_live_lease_is_not_overwritten";
/// What was overtaken by who had seen it does not come back.
pub(crate) const NO_RETURN: &str = "nothing_older_comes_back";
/// What a person set on the durable store is changed only by who has seen it.
pub(crate) const OVERRIDE_STAYS: &str = "an_override_on_the_durable_store_is_not_erased";
/// Versions rise on a tier.
pub(crate) const VERSIONS_RISE: &str = "versions_rise";
/// Where nothing goes wrong somebody wins.
pub(crate) const SOMEBODY_WINS: &str = "somebody_wins";
/// Once nothing goes wrong any more, the tiers agree.
pub(crate) const CONVERGES: &str = "the_tiers_converge";
/// What was committed is not undone while a process or a tier knows it.
pub(crate) const NOTHING_LOST: &str = "nothing_that_is_known_is_lost";

/// What can happen, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiers {
    pub(crate) variant: Variant,
    pub(crate) lane: Lane,
    /// How many writes each process makes.
    pub(crate) writes: [u8; PROCESSES],
    /// How often the reach of a process changes.
    pub(crate) cuts: u8,
    /// How often an acknowledgement is lost.
    pub(crate) lost: u8,
    /// How often the cache comes back empty.
    pub(crate) empties: u8,
    /// How many processes die.
    pub(crate) deaths: u8,
    /// How often somebody brings the tiers up without writing.
    pub(crate) settles: u8,
    /// What each process can reach at first.
    pub(crate) reach: [[bool; 2]; PROCESSES],
}

pub(crate) const BOTH: [bool; 2] = [true, true];
pub(crate) const CACHE: [bool; 2] = [true, false];
pub(crate) const DURABLE: [bool; 2] = [false, true];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Begin(usize),
    Settle(usize),
    /// The next thing that a process does, and whether the answer is lost.
    Do(usize, bool),
    Expire(usize),
    Reach(usize, [bool; 2]),
    Empty,
    Die(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) tiers: [Held; 2],
    pub(crate) processes: [Process; PROCESSES],
    pub(crate) changes: [Change; CHANGES],
    pub(crate) cuts: u8,
    pub(crate) lost: u8,
    pub(crate) empties: u8,
    pub(crate) deaths: u8,
    pub(crate) settles: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) is_alive: bool,
    pub(crate) reach: [bool; 2],
    pub(crate) left: u8,
    pub(crate) made: u8,
    pub(crate) write: Option<Write>,
    /// Which change it is writing: none while it settles.
    pub(crate) change: Option<usize>,
    pub(crate) kept: Option<Kept>,
}

/// What is known of a change by who sees all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Change {
    /// The changes that it was decided on, as bits.
    pub(crate) past: u16,
    /// What its process could reach all the time.
    pub(crate) reach: [bool; 2],
    /// The tiers that have it, or what was decided on it.
    pub(crate) on: [bool; 2],
    /// The tiers that had to forget it: the cache came back empty, or what was decided in another
    /// partition took its place.
    pub(crate) forgot: [bool; 2],
    pub(crate) is_committed: bool,
    pub(crate) is_expired: bool,
}

impl Change {
    pub(crate) fn descends_from(&self, change: usize) -> bool {
        self.past & (1 << change) != 0
    }
}

pub(crate) fn id(change: usize) -> ChangeId {
    ChangeId::new(change as u64 + 1).expect("a small number")
}

pub(crate) fn index(change: ChangeId) -> Option<usize> {
    change.get().checked_sub(1).map(|change| change as usize)
}
