//! What is asked of the rule, and of the tiers.

use super::{
    held::{Held, Seen, Tier},
    repair::Source,
};
use crate::{
    circuit::Version,
    store::{ChangeId, Lane},
};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// A lane is written.
    Swap {
        /// Which.
        lane: Lane,
        /// The version that the writer read. None: nothing was there.
        expected: Option<Version>,
        /// The change that it read under that version, if it is known.
        read: Option<ChangeId>,
        /// The version that it proposes.
        next: Version,
        /// Its own change.
        change: ChangeId,
    },
    /// The record is removed.
    Remove {
        /// The lane whose version is expected.
        lane: Lane,
        /// The version that was read.
        expected: Option<Version>,
    },
    /// The tiers are made to agree.
    Settle {
        /// What this process wrote without the durable store.
        kept: Option<Kept>,
    },
}

/// A write that this process made without the durable store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    /// The lane.
    pub lane: Lane,
    /// What it wrote.
    pub seen: Seen,
    /// The change that it took the place of: anything else was decided by somebody else since.
    pub base: ChangeId,
}

/// What is asked for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// What a tier has.
    Look(Tier),
    /// A lane is to be written if it has the expected version.
    Swap {
        /// Where.
        tier: Tier,
        /// Which.
        lane: Lane,
        /// What is there.
        expected: Option<Version>,
        /// What is there then.
        seen: Seen,
        /// Where the content comes from.
        from: Source,
    },
    /// The record is to be removed.
    Remove {
        /// Where.
        tier: Tier,
        /// Which lane has to have the version.
        lane: Lane,
        /// What is there.
        expected: Option<Version>,
    },
    /// Nothing: it is over.
    End(Verdict),
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// What the tier has.
    Held(Held),
    /// It was written.
    Accepted,
    /// Something else was there.
    Refused,
    /// The tier cannot be reached, or did not answer: it may have been written.
    Failed,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Every tier that could be reached took it.
    Committed {
        /// The version that it has.
        version: Version,
        /// The tier that has not got it.
        owed: Option<Tier>,
    },
    /// Somebody else was first.
    Conflict,
    /// No tier could be reached, or they went on changing.
    Unavailable,
    /// The tiers that could be reached agree.
    Settled,
}
