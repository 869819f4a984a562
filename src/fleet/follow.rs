//! What others did, and how circuits follow it.

use super::{backlog::Backlog, circuits::Found, shared::Shared};
use crate::{breaker::Breaker, circuit::State, store::Stored};

/// Whether what was read is newer than what was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absorbed {
    /// It is, or it is the same.
    WentOn,
    /// The store lost the newest.
    WentBack,
}

impl Shared {
    /// Takes in what was read, and lets the circuit follow it unless it has something to commit
    /// itself, which comes first.
    pub(super) fn absorb(&self, stored: Stored, backlog: Option<&Backlog>) -> Absorbed {
        let service = stored.service().clone();
        let went_back = self.mirror.goes_back(&stored);
        if went_back {
            self.dirty.mark(&service);
        }
        let news = self.mirror.learn(stored, self.clock.now());
        if let Some(found) = self.circuits.find(&service) {
            let changed = found.breaker.has_changes();
            let busy = backlog.is_some() || changed || self.dirty.contains(&service);
            if busy && news {
                self.dirty.mark(&service);
            }
            if !changed && !backlog.is_some_and(Backlog::has_orders) {
                self.obey(&found);
            }
            if news && !busy {
                self.follow(&found);
            }
            self.arrange(&found);
        }
        if went_back { Absorbed::WentBack } else { Absorbed::WentOn }
    }

    /// Takes over what people set elsewhere, if the circuit was not told of it.
    pub(super) fn obey(&self, found: &Found) {
        let breaker = &found.breaker;
        let orders = self.mirror.take_orders(breaker.service());
        let Some(known) = self.mirror.get(breaker.service()) else { return };
        let Some(record) = known.record() else { return };
        if orders.settings {
            self.circuits.configure(breaker, &record.settings.changes);
        }
        if orders.override_ {
            breaker.adopt_override(record.override_.value);
        }
    }

    /// Takes over the state that the store has.
    pub(super) fn follow(&self, found: &Found) {
        let breaker = &found.breaker;
        if self.gates.scope(breaker.service()).quorum().is_none() {
            return;
        }
        let Some(known) = self.mirror.get(breaker.service()) else { return };
        let adoption = known.adoption(self.clock.now());
        let over = adoption.state == State::Open && adoption.elapsed >= adoption.open_for;
        if over && is_proven(breaker) {
            // The opening is over and calls succeed here: that is to be told, not followed.
            breaker.committed(adoption.state, adoption.version);
            self.dirty.mark(breaker.service());
        } else {
            breaker.adopt(adoption);
        }
    }
}

/// A circuit that is closed and has seen as many successes as its settings ask for.
fn is_proven(breaker: &Breaker) -> bool {
    let snapshot = breaker.snapshot();
    let settings = breaker.settings();
    let minimum = settings.minimum_number_of_calls().max(settings.permitted_calls_in_half_open());
    snapshot.state == State::Closed && snapshot.succeeded >= u64::from(minimum)
}
