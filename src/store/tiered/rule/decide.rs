//! What a write does next, with what the tiers have.

use super::{
    held::{Held, Seen, Tier, Variant},
    repair::{Repair, Source, Why, above, repair},
    words::{Kept, Verdict, Work},
    write::{Step, Write},
};

/// How many steps may bring tiers up before it is given up: others keep changing them.
const REPAIRS: u32 = 32;

impl Write {
    /// What is next, with what the tiers have.
    pub(super) fn decide(&mut self) {
        let given_up = if self.lost { Verdict::Conflict } else { Verdict::Unavailable };
        if self.reach == [false; 2] || self.repairs > REPAIRS {
            return self.end(given_up);
        }
        if let Some(step) = self.difference().or_else(|| self.put_back()) {
            self.repairs += 1;
            self.step = Step::Repair(step);
            return;
        }
        let (lane, expected, read) = match self.work {
            Work::Settle { .. } => return self.end(Verdict::Settled),
            Work::Swap { lane, expected, read, .. } => (lane, expected, read),
            Work::Remove { lane, expected } => (lane, expected, None),
        };
        let current = self.current();
        let seen = current.seen(lane);
        if self.lost {
            let mine = match self.work {
                // Others may have brought it up already, and written the next one.
                Work::Swap { change, .. } => {
                    [seen.change, seen.root, seen.before].contains(&change)
                }
                // Others may have brought the removal up already.
                Work::Remove { .. } => !current.is_record(),
                Work::Settle { .. } => false,
            };
            let version = match self.work {
                // The version of the next one is not that of this write.
                Work::Swap { change, next, .. } if change != seen.change => next,
                _ => seen.version,
            };
            return self.end(if mine {
                Verdict::Committed { version, owed: None }
            } else {
                Verdict::Conflict
            });
        }
        let other_change =
            read.is_some_and(|read| read != seen.change) && self.variant != Variant::VersionsOnly;
        let nothing_to_remove = matches!(self.work, Work::Remove { .. }) && !current.is_record();
        if current.version(lane) != expected || other_change || nothing_to_remove {
            return self.end(Verdict::Conflict);
        }
        self.step = Step::First;
    }

    /// What the tiers that are reached have, once they agree.
    fn current(&self) -> Held {
        let held = |tier: Tier| if self.reaches(tier) { *self.held(tier) } else { Held::Missing };
        let (cache, durable) = (held(Tier::Cache), held(Tier::Durable));
        match (cache, durable) {
            (Held::Missing, _) => durable,
            (Held::Tombstone(of_cache), Held::Tombstone(of_durable)) => {
                let mut versions = of_cache;
                for (version, other) in versions.iter_mut().zip(of_durable) {
                    *version = (*version).max(other);
                }
                Held::Tombstone(versions)
            }
            _ => cache,
        }
    }

    fn difference(&self) -> Option<Repair> {
        if self.reach != [true; 2] {
            return None;
        }
        let (cache, durable) = (self.held(Tier::Cache), self.held(Tier::Durable));
        repair(cache, durable, self.variant)
    }

    /// What this process keeps is put back where the tiers have lost it, that is, have again what it
    /// took the place of, or nothing.
    fn put_back(&self) -> Option<Repair> {
        let Work::Settle { kept: Some(kept) } = self.work else { return None };
        let Kept { lane, seen, base } = kept;
        let current = self.current();
        let now = current.seen(lane);
        if now.change == seen.change || (current != Held::Missing && now.change != base) {
            return None;
        }
        let tier = if self.reaches(Tier::Cache) { Tier::Cache } else { Tier::Durable };
        let version = seen.version.max(above(now.version));
        let expected = self.held(tier).version(lane);
        let seen = Seen { version, ..seen };
        Some(Repair::Copy { tier, lane, expected, seen, from: Source::Kept, why: Why::Behind })
    }
}
