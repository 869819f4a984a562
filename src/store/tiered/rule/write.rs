//! One write, from the first look to the verdict.

use super::{
    held::{Held, Seen, Tier, Variant},
    repair::{Repair, Source, Why},
    words::{Answer, Ask, Verdict, Work},
};
use crate::{circuit::Version, store::Lane};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
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
    pub(super) work: Work,
    pub(super) variant: Variant,
    pub(super) reach: [bool; 2],
    pub(super) held: [Held; 2],
    pub(super) step: Step,
    /// A tier took it that another one refused.
    pub(super) lost: bool,
    pub(super) repairs: u32,
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
    pub(super) fn first(&self) -> Tier {
        let first = match self.variant {
            Variant::DurableDecides | Variant::DurableFirst => Tier::Durable,
            _ => Tier::Cache,
        };
        if self.reaches(first) || !self.reaches(first.other()) { first } else { first.other() }
    }

    /// The version that is written: without the durable store, of a new epoch.
    pub(super) fn version(&self) -> Version {
        let Work::Swap { next, .. } = self.work else { return Version::default() };
        if self.reaches(Tier::Durable) {
            next
        } else {
            Version::new(next.epoch.saturating_add(1), next.counter)
        }
    }

    pub(super) fn put(&self, tier: Tier) -> Ask {
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
}

#[cfg(test)]
mod tests {
    use super::{super::words::Kept, *};
    use crate::store::ChangeId;

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

    pub(super) fn end(asked: &[Ask]) -> Verdict {
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
    fn a_write_that_others_brought_up_and_wrote_over_has_its_own_version_not_theirs() {
        let was = held(seen(0, 4, 1));
        let change = ChangeId::new(9).unwrap();
        let brought_up = held(seen(0, 5, 9));
        let next = held(Seen { root: ChangeId::new(2).unwrap(), before: change, ..seen(0, 6, 2) });
        for now in [brought_up, next] {
            let asked = play(work(), &[was, was, Answer::Accepted, Answer::Refused, now, now]);
            assert_eq!(end(&asked), committed(0, 5, None));
        }
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
