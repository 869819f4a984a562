//! What the answers of the tiers mean for a write.

use super::{
    held::{Tier, Variant},
    words::{Answer, Ask, Verdict, Work},
    write::{Step, Write},
};

impl Write {
    pub(super) fn first_answered(&mut self, answer: Answer) {
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

    pub(super) fn second_answered(&mut self, answer: Answer) {
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
    pub(super) fn wrote(&mut self, tier: Tier) {
        let held = match self.put(tier) {
            Ask::Swap { lane, seen, .. } => self.held(tier).with(lane, seen),
            _ => self.held(tier).removed(),
        };
        self.held[tier as usize] = held;
    }

    pub(super) fn commit(&mut self, owed: Option<Tier>) {
        self.end(Verdict::Committed { version: self.version(), owed });
    }

    pub(super) fn lose(&mut self) {
        self.lost = true;
        self.look();
    }

    pub(super) fn end(&mut self, verdict: Verdict) {
        self.step = Step::End(verdict);
    }

    /// Looks again at the tiers that are reached.
    pub(super) fn look(&mut self) {
        self.repairs += 1;
        if self.reaches(Tier::Cache) {
            self.step = Step::Look(Tier::Cache);
        } else if self.reaches(Tier::Durable) {
            self.step = Step::Look(Tier::Durable);
        } else {
            self.decide();
        }
    }
}
