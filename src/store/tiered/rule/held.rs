//! What a tier has of one circuit, as far as the rule looks at it.

use crate::{
    circuit::Version,
    store::{ChangeId, Lane},
};

/// One of the two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// The fast one, which may come back empty.
    Cache,
    /// The one that keeps what it has.
    Durable,
}

impl Tier {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Cache, Self::Durable];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Cache => Self::Durable,
            Self::Durable => Self::Cache,
        }
    }

    /// The name, for logs: `cache`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Durable => "durable",
        }
    }
}

/// A lane as a tier has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Its version.
    pub version: Version,
    /// The write that made it. Two tiers may have different writes under one version.
    pub change: ChangeId,
    /// The last write in its past that was offered to the durable store. What both tiers have, or what
    /// one was brought up to by the other, has the same.
    pub root: ChangeId,
    /// The root that the durable store had when that was offered: it may still have that. Of what was
    /// made on the durable store alone, the last one that was offered to both.
    pub before: ChangeId,
    /// Whether the root was made on the durable store alone.
    pub alone: bool,
}

impl Seen {
    /// Whether what the cache has, this, was decided with what the durable store has in sight.
    #[must_use]
    pub fn descends_from(&self, durable: &Self) -> bool {
        durable.version == Version::default()
            || [self.root, self.before].contains(&durable.root)
            || self.change == durable.change
    }

    /// Whether what the durable store has, this, was made on it alone after what the cache has.
    #[must_use]
    pub fn follows(&self, cache: &Self) -> bool {
        self.alone && self.before == cache.change
    }
}

/// What a tier has of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Held {
    /// Nothing.
    Missing,
    /// That it was removed, and the versions that its lanes had.
    Tombstone([Version; 3]),
    /// Its lanes, in the order of [`Lane::ALL`].
    Record([Seen; 3]),
}

impl Held {
    /// A lane: one that is empty where there is no record.
    #[must_use]
    pub fn seen(&self, lane: Lane) -> Seen {
        match self {
            Self::Missing => Seen::default(),
            Self::Tombstone(versions) => {
                Seen { version: versions[lane as usize], ..Seen::default() }
            }
            Self::Record(lanes) => lanes[lane as usize],
        }
    }

    /// The version of a lane: none where nothing is, not even a tombstone.
    #[must_use]
    pub fn version(&self, lane: Lane) -> Option<Version> {
        (*self != Self::Missing).then(|| self.seen(lane).version)
    }

    /// Whether there is a record.
    #[must_use]
    pub const fn is_record(&self) -> bool {
        matches!(self, Self::Record(_))
    }

    /// What it is once a lane was written.
    #[must_use]
    pub fn with(&self, lane: Lane, seen: Seen) -> Self {
        let mut lanes = Lane::ALL.map(|lane| self.seen(lane));
        lanes[lane as usize] = seen;
        Self::Record(lanes)
    }

    /// What it is once it was removed.
    #[must_use]
    pub fn removed(&self) -> Self {
        Self::Tombstone(Lane::ALL.map(|lane| self.seen(lane).version))
    }
}

/// The rule, or one that looks simpler and is broken. A model checker must tell them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Variant {
    /// The rule.
    #[default]
    Sound,
    /// The durable store alone decides where it can be reached, and the cache is told.
    DurableDecides,
    /// The durable store is written first.
    DurableFirst,
    /// A cache that came back empty is filled at a new epoch.
    ReseedOpensEpoch,
    /// The higher version wins, whatever people set on the durable store.
    EpochErasesOverride,
    /// Two writes under one version are taken for the same.
    VersionsOnly,
}
