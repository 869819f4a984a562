//! What other processes say.

use super::{Oracle, OracleState, circuit::Phase};

impl Oracle {
    /// Chooses `Gate::Granted` or `Gate::Local`. A round that has begun stays as it is.
    pub fn set_granted(&mut self, granted: bool) {
        self.granted = granted;
        if !granted {
            self.wanted = false;
        }
    }

    /// Begins a round of `budget` probes that are admitted before `deadline`. It acts only on an
    /// open circuit whose time is over, under `Gate::Granted`.
    pub fn grant(&mut self, _token: u64, budget: u32, deadline: u64, now: u64) {
        let Phase::Open { end, .. } = self.phase else {
            return;
        };
        if self.granted && now >= end && budget > 0 {
            self.enter_half_open(i128::from(now), u64::from(budget), Some(deadline), false);
        }
    }

    /// A grant was renewed: its probes are admitted until a later deadline.
    pub fn extend_grant(&mut self, deadline: u64) {
        if let Phase::HalfOpen { admits_before: Some(end), .. } = &mut self.phase {
            *end = deadline.max(*end);
        }
    }

    /// Takes over what another process decided: closed, open or half-open. An adopted half-open
    /// is the other process's round and has no places here.
    ///
    /// # Panics
    ///
    /// If `state` is an override.
    pub fn adopt(
        &mut self,
        state: OracleState,
        elapsed: u64,
        open_for: u64,
        reopens: u32,
        version: (u64, u64),
        now: u64,
    ) {
        let strength = |state| match state {
            OracleState::Closed => 0,
            OracleState::HalfOpen => 1,
            OracleState::Open => 2,
            other => panic!("{other:?} is an override and not adopted"),
        };
        let shared_strength = strength(state);
        if self.shared.is_some_and(|(_, last)| version <= last) {
            return;
        }
        // A circuit that nobody has told of is closed.
        let known = self.shared.map_or(OracleState::Closed, |(last, _)| last);
        let unchanged = known == state;
        self.shared = Some((state, version));
        if self.is_overridden() {
            return;
        }

        let adopted_at = i128::from(now) - i128::from(elapsed);
        let adopted_end =
            u64::try_from((adopted_at + i128::from(open_for)).max(0)).unwrap_or(u64::MAX);
        let own_round = matches!(self.phase, Phase::HalfOpen { held_elsewhere: false, .. });
        if state == OracleState::HalfOpen && own_round {
            // The other process has the lease now.
            self.reopens = reopens;
            self.enter_half_open(adopted_at, 0, None, true);
            return;
        }
        if state == self.state() {
            if let Phase::Open { end, .. } = &mut self.phase
                && adopted_end > *end
            {
                *end = adopted_end;
                self.reopens = reopens;
            }
            return;
        }
        if unchanged && shared_strength <= strength(self.state()) {
            return;
        }
        match state {
            OracleState::Open => {
                self.reopens = reopens;
                self.enter(Phase::Open { end: adopted_end, tripped: None });
            }
            OracleState::HalfOpen => {
                self.reopens = reopens;
                self.enter_half_open(adopted_at, 0, None, true);
            }
            _ => {
                self.reopens = 0;
                self.enter(Phase::Closed);
            }
        }
    }
}
