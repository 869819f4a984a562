//! What is to be done about two tiers that differ.

use super::held::{Held, Seen, Tier, Variant};
use crate::{circuit::Version, store::Lane};

/// Where what is written comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The proposal.
    Next,
    /// What a tier has.
    Of(Tier),
    /// What this process wrote without the durable store, and keeps for it.
    Kept,
}

/// Why a tier is brought up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// It has nothing of the circuit.
    Missing,
    /// It has not seen the last write, or the removal.
    Behind,
    /// It has another write that lost.
    Lost,
}

/// One step that brings a tier up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repair {
    /// A lane is written.
    Copy {
        /// Where.
        tier: Tier,
        /// Which.
        lane: Lane,
        /// What that tier has.
        expected: Option<Version>,
        /// What it has then.
        seen: Seen,
        /// Where the content comes from.
        from: Source,
        /// Why.
        why: Why,
    },
    /// The record is removed.
    Remove {
        /// Where.
        tier: Tier,
        /// The version of its state.
        expected: Version,
    },
}

impl Repair {
    /// The tier that is written.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        match self {
            Self::Copy { tier, .. } | Self::Remove { tier, .. } => *tier,
        }
    }
}

/// The next step that makes two tiers agree on a circuit; none if they do.
///
/// Two tombstones agree whatever their versions are, and so do a tombstone and nothing: both say that
/// there is no circuit. A tombstone wins over a record that was not written since.
#[must_use]
pub fn repair(cache: &Held, durable: &Held, variant: Variant) -> Option<Repair> {
    match (cache, durable) {
        (Held::Record(_), Held::Tombstone(_)) if !is_above(cache, durable) => {
            Some(removal(Tier::Cache, cache))
        }
        (Held::Tombstone(_), Held::Record(_)) if !is_above(durable, cache) => {
            Some(removal(Tier::Durable, durable))
        }
        (Held::Record(_), _) | (_, Held::Record(_)) => {
            Lane::ALL.into_iter().find_map(|lane| repair_lane(lane, cache, durable, variant))
        }
        _ => None,
    }
}

fn is_above(record: &Held, tombstone: &Held) -> bool {
    Lane::ALL.into_iter().any(|lane| record.seen(lane).version > tombstone.seen(lane).version)
}

fn removal(tier: Tier, record: &Held) -> Repair {
    Repair::Remove { tier, expected: record.seen(Lane::State).version }
}

fn repair_lane(lane: Lane, cache: &Held, durable: &Held, variant: Variant) -> Option<Repair> {
    let (of_cache, of_durable) = (cache.seen(lane), durable.seen(lane));
    let copy = |tier: Tier, version: Version, why| {
        let (target, source) = match tier {
            Tier::Cache => (cache, of_durable),
            Tier::Durable => (durable, of_cache),
        };
        Some(Repair::Copy {
            tier,
            lane,
            expected: target.version(lane),
            seen: Seen { version, ..source },
            from: Source::Of(tier.other()),
            why: if *target == Held::Missing { Why::Missing } else { why },
        })
    };
    let (up, down) = (of_cache.version, of_durable.version);
    let same = of_cache.change == of_durable.change;
    if up == down {
        if same || variant == Variant::VersionsOnly {
            return None;
        }
        // The cache is written first, so what the durable store has under this version was taken
        // without the cache, and what the cache has was not taken by the durable store.
        return copy(Tier::Cache, above(up), Why::Lost);
    }
    if down > up {
        let mut version = down;
        if variant == Variant::ReseedOpensEpoch && *cache == Held::Missing {
            version.epoch += 1;
        }
        return copy(Tier::Cache, version, Why::Behind);
    }
    // What people set on the durable store stays, unless it is changed by who has seen it.
    let may_erase = lane == Lane::State || variant == Variant::EpochErasesOverride;
    let is_erased = !may_erase && !of_cache.descends_from(&of_durable);
    if is_erased || of_durable.follows(&of_cache) {
        return copy(Tier::Cache, above(up), Why::Lost);
    }
    copy(Tier::Durable, up, Why::Behind)
}

/// The next version of the same epoch.
pub(super) const fn above(version: Version) -> Version {
    Version::new(version.epoch, version.counter.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ChangeId;

    fn seen(epoch: u64, counter: u64, change: u64) -> Seen {
        let change = ChangeId::new(change).unwrap();
        Seen { version: Version::new(epoch, counter), change, ..Seen::default() }
    }

    fn record(state: Seen, override_: Seen) -> Held {
        Held::Record([state, override_, Seen::default()])
    }

    /// Repairs until the tiers agree. Returns what both have, and the steps.
    fn repaired(mut cache: Held, mut durable: Held) -> (Held, Held, Vec<Repair>) {
        let mut steps = Vec::new();
        while let Some(step) = repair(&cache, &durable, Variant::Sound) {
            let target = if step.tier() == Tier::Cache { &mut cache } else { &mut durable };
            *target = match step {
                Repair::Copy { lane, seen, .. } => {
                    assert!(seen.version > target.seen(lane).version, "{step:?}");
                    target.with(lane, seen)
                }
                Repair::Remove { .. } => target.removed(),
            };
            steps.push(step);
            assert!(steps.len() < 20, "{steps:?}");
        }
        (cache, durable, steps)
    }

    #[test]
    fn an_empty_cache_is_filled_with_the_durable_versions_unchanged() {
        let durable = record(seen(2, 5, 1), seen(0, 3, 2));
        let (cache, after, steps) = repaired(Held::Missing, durable);
        assert_eq!((cache, after), (durable, durable));
        assert_eq!(steps.len(), 2);
    }

    #[test]
    fn of_two_writes_under_one_version_that_of_the_durable_store_wins() {
        let (cache, durable) = (seen(0, 5, 1), seen(0, 5, 2));
        let (cache, durable, _) =
            repaired(record(cache, Seen::default()), record(durable, Seen::default()));
        assert_eq!(cache, durable);
        assert_eq!(cache.seen(Lane::State), seen(0, 6, 2));
    }

    #[test]
    fn an_epoch_takes_the_state_and_not_an_override_that_it_has_not_seen() {
        let cache = record(seen(1, 5, 1), seen(1, 2, 1));
        let change = ChangeId::new(2).unwrap();
        let alone = Seen { root: change, alone: true, ..seen(0, 2, 2) };
        let (cache, durable, _) = repaired(cache, record(seen(0, 5, 2), alone));
        assert_eq!(cache, durable);
        assert_eq!(cache.seen(Lane::State), seen(1, 5, 1));
        assert_eq!(cache.seen(Lane::Override).change, alone.change);
        assert_eq!(cache.seen(Lane::Override).version, Version::new(1, 3));
        // Once the cache has it, what is decided without the durable store is a change of it.
        let next = Seen { root: change, alone: true, ..seen(2, 4, 3) };
        let (cache, durable, _) = repaired(cache.with(Lane::Override, next), durable);
        assert_eq!((cache.seen(Lane::Override), durable.seen(Lane::Override)), (next, next));
    }

    #[test]
    fn a_tombstone_wins_over_an_older_record_and_loses_to_a_newer_one() {
        let old = record(seen(0, 5, 1), seen(0, 1, 1));
        for (cache, durable) in [(old.removed(), old), (old, old.removed())] {
            let (cache, durable, steps) = repaired(cache, durable);
            assert_eq!((cache, durable), (old.removed(), old.removed()));
            assert!(matches!(steps[..], [Repair::Remove { .. }]));
        }
        let new = old.removed().with(Lane::State, seen(0, 6, 3));
        for (cache, durable) in [(old.removed(), new), (new, old.removed())] {
            let (cache, durable, _) = repaired(cache, durable);
            assert_eq!((cache, durable), (new, new));
        }
        let forgotten = repair(&Held::Missing, &old.removed(), Variant::Sound);
        assert_eq!(forgotten, None, "nothing is made of a tombstone");
    }

    #[test]
    fn what_one_tier_is_behind_by_several_versions_is_one_write_a_lane() {
        let cache = record(seen(3, 9, 1), seen(0, 1, 1));
        let durable = record(seen(0, 4, 2), seen(0, 1, 1));
        let (cache, durable, steps) = repaired(cache, durable);
        assert_eq!(cache, durable);
        assert_eq!(steps.len(), 1);
    }
}
