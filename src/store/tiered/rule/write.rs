//! One write, from the first look to the verdict.

use super::{
    held::{Held, Seen, Tier, Variant},
    repair::{Repair, Source, Why, above, repair},
};
use crate::{
    circuit::Version,
    store::{ChangeId, Lane},
};

/// How many steps may bring tiers up before it is given up: others keep changing them.
const REPAIRS: u32 = 32;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Look(Tier),
    Repair(Repair),
    First,
    Second,
    /// The cache took it, the durable store did not answer: it is lifted to a new epoch.
    Lift,
    End(Verdict),
}

/// One write, as a machine that says what to ask and is told the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Write {
    work: Work,
    variant: Variant,
    reach: [bool; 2],
    held: [Held; 2],
    step: Step,
    /// A tier took it that another one refused.
    lost: bool,
    repairs: u32,
}

impl Write {
    /// Begins a write.
    #[must_use]
    pub fn new(work: Work, variant: Variant) -> Self {
        Self {
            work,
            variant,
            reach: [true; 2],
            held: [Held::Missing; 2],
            step: Step::Look(Tier::Cache),
            lost: false,
            repairs: 0,
        }
    }

    /// What a tier has, as far as is known.
    #[must_use]
    pub const fn held(&self, tier: Tier) -> &Held {
        &self.held[tier as usize]
    }

    /// Whether a tier has answered all that it was asked.
    #[must_use]
    pub const fn reaches(&self, tier: Tier) -> bool {
        self.reach[tier as usize]
    }

    /// Why a tier is written at present: none for the write itself.
    #[must_use]
    pub const fn repairs(&self) -> Option<Why> {
        match self.step {
            Step::Repair(Repair::Copy { why, .. }) => Some(why),
            Step::Repair(Repair::Remove { .. }) => Some(Why::Behind),
            _ => None,
        }
    }

    /// What is asked for next.
    #[must_use]
    pub fn ask(&self) -> Ask {
        match self.step {
            Step::Look(tier) => Ask::Look(tier),
            Step::Repair(Repair::Copy { tier, lane, expected, seen, from, .. }) => {
                Ask::Swap { tier, lane, expected, seen, from }
            }
            Step::Repair(Repair::Remove { tier, expected }) => {
                Ask::Remove { tier, lane: Lane::State, expected: Some(expected) }
            }
            Step::First => self.put(self.first()),
            Step::Second => self.put(self.first().other()),
            Step::Lift => self.put(Tier::Cache),
            Step::End(verdict) => Ask::End(verdict),
        }
    }

    /// Takes in the answer to what was asked.
    pub fn answer(&mut self, answer: Answer) {
        match self.step {
            Step::Look(tier) => {
                match answer {
                    Answer::Held(held) => self.held[tier as usize] = held,
                    _ => self.reach[tier as usize] = false,
                }
                if tier == Tier::Cache && self.reaches(Tier::Durable) {
                    self.step = Step::Look(Tier::Durable);
                } else {
                    self.decide();
                }
            }
            Step::Repair(step) => match answer {
                Answer::Accepted => {
                    let held = &mut self.held[step.tier() as usize];
                    *held = match step {
                        Repair::Copy { lane, seen, .. } => held.with(lane, seen),
                        Repair::Remove { .. } => held.removed(),
                    };
                    self.decide();
                }
                Answer::Failed => {
                    self.reach[step.tier() as usize] = false;
                    self.decide();
                }
                Answer::Refused | Answer::Held(_) => self.look(),
            },
            Step::First => self.first_answered(answer),
            Step::Second => self.second_answered(answer),
            Step::Lift => match answer {
                Answer::Accepted => self.commit(Some(Tier::Durable)),
                Answer::Failed => self.end(Verdict::Unavailable),
                Answer::Refused | Answer::Held(_) => self.lose(),
            },
            Step::End(_) => {}
        }
    }

    // ===== what is asked =====

    /// The tier that is written first, of those that are reached.
    fn first(&self) -> Tier {
        let first = match self.variant {
            Variant::DurableDecides | Variant::DurableFirst => Tier::Durable,
            _ => Tier::Cache,
        };
        if self.reaches(first) || !self.reaches(first.other()) { first } else { first.other() }
    }

    /// The version that is written: without the durable store, of a new epoch.
    fn version(&self) -> Version {
        let Work::Swap { next, .. } = self.work else { return Version::default() };
        if self.reaches(Tier::Durable) {
            next
        } else {
            Version::new(next.epoch.saturating_add(1), next.counter)
        }
    }

    fn put(&self, tier: Tier) -> Ask {
        match self.work {
            Work::Swap { lane, change, .. } => {
                let version = self.version();
                let durable = self.held(Tier::Durable).seen(lane);
                let cache = self.held(Tier::Cache).seen(lane);
                let is_new = *self.held(Tier::Cache) == Held::Missing;
                let offered = if durable.alone { durable.before } else { durable.root };
                let (root, before, alone) =
                    match (self.reaches(Tier::Cache), self.reaches(Tier::Durable)) {
                        (true, true) => (change, durable.root, false),
                        (false, _) => (change, offered, true),
                        (true, false) if !is_new => (cache.root, cache.before, cache.alone),
                        // Nobody has seen what the durable store has.
                        (true, false) => (change, change, false),
                    };
                Ask::Swap {
                    tier,
                    lane,
                    expected: self.held(tier).version(lane),
                    seen: Seen { version, change, root, before, alone },
                    from: Source::Next,
                }
            }
            Work::Remove { lane, .. } => {
                Ask::Remove { tier, lane, expected: self.held(tier).version(lane) }
            }
            Work::Settle { .. } => Ask::End(Verdict::Settled),
        }
    }

    // ===== what an answer means =====

    fn first_answered(&mut self, answer: Answer) {
        let tier = self.first();
        match answer {
            Answer::Accepted => {
                let other = tier.other();
                if !self.reaches(other) {
                    return self.commit(Some(other));
                }
                self.wrote(tier);
                self.step = Step::Second;
            }
            Answer::Refused | Answer::Held(_) => self.end(Verdict::Conflict),
            Answer::Failed => {
                self.reach[tier as usize] = false;
                if self.reaches(tier.other()) {
                    self.step = Step::First;
                } else {
                    self.end(Verdict::Unavailable);
                }
            }
        }
    }

    fn second_answered(&mut self, answer: Answer) {
        let tier = self.first().other();
        if self.variant == Variant::DurableDecides {
            return self.commit(None);
        }
        match answer {
            Answer::Accepted => self.commit(None),
            Answer::Refused | Answer::Held(_) => self.lose(),
            Answer::Failed => {
                self.reach[tier as usize] = false;
                let is_swap = matches!(self.work, Work::Swap { .. });
                if is_swap && tier == Tier::Durable {
                    self.step = Step::Lift;
                } else {
                    self.commit(Some(tier));
                }
            }
        }
    }

    /// Notes what a tier has since it took the write.
    fn wrote(&mut self, tier: Tier) {
        let held = match self.put(tier) {
            Ask::Swap { lane, seen, .. } => self.held(tier).with(lane, seen),
            _ => self.held(tier).removed(),
        };
        self.held[tier as usize] = held;
    }

    fn commit(&mut self, owed: Option<Tier>) {
        self.end(Verdict::Committed { version: self.version(), owed });
    }

    fn lose(&mut self) {
        self.lost = true;
        self.look();
    }

    fn end(&mut self, verdict: Verdict) {
        self.step = Step::End(verdict);
    }

    /// Looks again at the tiers that are reached.
    fn look(&mut self) {
        self.repairs += 1;
        if self.reaches(Tier::Cache) {
            self.step = Step::Look(Tier::Cache);
        } else if self.reaches(Tier::Durable) {
            self.step = Step::Look(Tier::Durable);
        } else {
            self.decide();
        }
    }

    /// What is next, with what the tiers have.
    fn decide(&mut self) {
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
            return self.end(if mine {
                Verdict::Committed { version: seen.version, owed: None }
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

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = Lane::State;

    fn seen(epoch: u64, counter: u64, change: u64) -> Seen {
        let change = ChangeId::new(change).unwrap();
        Seen { version: Version::new(epoch, counter), change, ..Seen::default() }
    }

    fn held(seen: Seen) -> Answer {
        Answer::Held(Held::Missing.with(LANE, seen))
    }

    /// Plays answers, and returns all that was asked, the end included.
    fn play(work: Work, answers: &[Answer]) -> Vec<Ask> {
        let mut write = Write::new(work, Variant::Sound);
        let mut asked = vec![write.ask()];
        for answer in answers {
            write.answer(*answer);
            asked.push(write.ask());
        }
        asked
    }

    fn work() -> Work {
        Work::Swap {
            lane: LANE,
            expected: Some(Version::new(0, 4)),
            read: None,
            next: Version::new(0, 5),
            change: ChangeId::new(9).unwrap(),
        }
    }

    fn end(asked: &[Ask]) -> Verdict {
        match asked.last() {
            Some(Ask::End(verdict)) => *verdict,
            other => panic!("no end: {other:?}"),
        }
    }

    fn committed(epoch: u64, counter: u64, owed: Option<Tier>) -> Verdict {
        Verdict::Committed { version: Version::new(epoch, counter), owed }
    }

    #[test]
    fn a_write_goes_to_the_cache_first_and_then_to_the_durable_store() {
        let was = held(seen(0, 4, 1));
        let asked = play(work(), &[was, was, Answer::Accepted, Answer::Accepted]);
        assert!(matches!(asked[2], Ask::Swap { tier: Tier::Cache, .. }));
        assert!(matches!(asked[3], Ask::Swap { tier: Tier::Durable, .. }));
        assert_eq!(end(&asked), committed(0, 5, None));
    }

    #[test]
    fn a_write_that_the_durable_store_refuses_is_lost_and_the_cache_is_brought_up() {
        let (was, mine, theirs) = (seen(0, 4, 1), seen(0, 5, 9), seen(0, 5, 2));
        let asked = play(
            work(),
            &[
                held(was),
                held(was),
                Answer::Accepted,
                Answer::Refused,
                held(mine),
                held(theirs),
                Answer::Accepted,
                Answer::Accepted,
            ],
        );
        let lifted = |ask: &Ask, on: Tier| match ask {
            Ask::Swap { tier, seen: lifted, .. } => *tier == on && *lifted == seen(0, 6, 2),
            _ => false,
        };
        assert!(lifted(&asked[6], Tier::Cache), "{asked:?}");
        assert!(lifted(&asked[7], Tier::Durable), "{asked:?}");
        assert_eq!(end(&asked), Verdict::Conflict);
    }

    #[test]
    fn a_write_without_the_durable_store_opens_an_epoch() {
        let was = held(seen(0, 4, 1));
        let asked = play(work(), &[was, Answer::Failed, Answer::Accepted]);
        assert_eq!(end(&asked), committed(1, 5, Some(Tier::Durable)));
        // It went away after the cache had taken the write: that is lifted.
        let asked = play(work(), &[was, was, Answer::Accepted, Answer::Failed, Answer::Accepted]);
        let Ask::Swap { tier, expected, seen, .. } = asked[4] else { panic!("{asked:?}") };
        assert_eq!((tier, expected), (Tier::Cache, Some(Version::new(0, 5))));
        assert_eq!(seen.version, Version::new(1, 5));
        assert_eq!(end(&asked), committed(1, 5, Some(Tier::Durable)));
    }

    #[test]
    fn a_write_without_the_cache_is_marked() {
        let was = held(seen(0, 4, 1));
        for answers in [vec![Answer::Failed, was], vec![was, was, Answer::Failed]] {
            let asked = play(work(), &[&answers[..], &[Answer::Accepted]].concat());
            let Some(Ask::Swap { tier, seen, .. }) = asked.iter().rev().nth(1) else {
                panic!("{asked:?}")
            };
            assert_eq!((*tier, seen.root, seen.alone), (Tier::Durable, seen.change, true));
            assert_eq!(end(&asked), committed(0, 5, Some(Tier::Cache)));
        }
    }

    #[test]
    fn what_is_owed_is_written_before_anything_else() {
        let (owed, was) = (seen(1, 4, 7), seen(0, 3, 1));
        let asked = play(work(), &[held(owed), held(was), Answer::Accepted]);
        let Ask::Swap { tier, seen, from, .. } = asked[2] else { panic!("{asked:?}") };
        assert_eq!((tier, seen, from), (Tier::Durable, owed, Source::Of(Tier::Cache)));
        assert_eq!(end(&asked), Verdict::Conflict, "it was decided from something else");
    }

    #[test]
    fn another_change_under_the_version_that_was_read_is_a_conflict() {
        let mut of_another = work();
        if let Work::Swap { read, .. } = &mut of_another {
            *read = ChangeId::new(3);
        }
        let was = held(seen(0, 4, 1));
        assert_eq!(end(&play(of_another, &[was, was])), Verdict::Conflict);
    }

    #[test]
    fn without_any_tier_nothing_is_decided() {
        let asked = play(work(), &[Answer::Failed, Answer::Failed]);
        assert_eq!(end(&asked), Verdict::Unavailable);
    }

    #[test]
    fn what_a_cache_lost_is_put_back_by_who_keeps_it_unless_it_was_overtaken() {
        let kept = Kept { lane: LANE, seen: seen(1, 5, 9), base: ChangeId::new(1).unwrap() };
        let settle = Work::Settle { kept: Some(kept) };
        let was = held(seen(0, 4, 1));
        let asked = play(
            settle,
            &[
                Answer::Held(Held::Missing),
                was,
                Answer::Accepted,
                Answer::Accepted,
                Answer::Accepted,
            ],
        );
        let puts_back = |ask: &Ask| match ask {
            Ask::Swap { from: Source::Kept, seen, .. } => *seen == kept.seen,
            _ => false,
        };
        assert!(puts_back(&asked[3]), "{asked:?}");
        assert_eq!(end(&asked), Verdict::Settled);
        let since = held(seen(0, 5, 3));
        assert_eq!(end(&play(settle, &[since, since])), Verdict::Settled);
    }
}
