//! Questions: none of them changes anything.

use super::{Oracle, OracleState, circuit::Phase, window::count};

impl Oracle {
    /// The state in force. An open circuit whose time is over is still open.
    pub fn state(&self) -> OracleState {
        match self.phase {
            Phase::Closed => OracleState::Closed,
            Phase::Open { .. } => OracleState::Open,
            Phase::HalfOpen { .. } => OracleState::HalfOpen,
            Phase::ForcedOpen => OracleState::ForcedOpen,
            Phase::Disabled => OracleState::Disabled,
            Phase::MetricsOnly => OracleState::MetricsOnly,
        }
    }

    /// The generation; compare only whether it changed.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Calls, failures and slow calls as a snapshot shows them: the window as of `now`, in open
    /// what tripped it, in half-open the finished probes of this round, otherwise nothing.
    pub fn counts(&self, now: u64) -> (u64, u64, u64) {
        match &self.phase {
            Phase::Closed | Phase::MetricsOnly => count(&self.visible(now)),
            Phase::Open { tripped, .. } => tripped.unwrap_or_default(),
            Phase::HalfOpen { finished, .. } => count(finished),
            Phase::ForcedOpen | Phase::Disabled => (0, 0, 0),
        }
    }

    /// Whether the documentation says what the counts are: not in an open that was adopted.
    pub fn counts_are_decided(&self) -> bool {
        !matches!(self.phase, Phase::Open { tripped: None, .. })
    }

    /// Whether the window was never carried into another kind or other slices since it was last
    /// empty. Where there was nothing to carry, it stays exact.
    pub fn window_is_exact(&self) -> bool {
        self.exact
    }

    /// The failures in a row. Open keeps the run that tripped it; half-open has none.
    pub fn consecutive_failures(&self) -> u32 {
        self.run
    }

    /// The recoveries that failed in a row.
    pub fn reopens(&self) -> u32 {
        self.reopens
    }

    /// When the open time ends; none unless open.
    pub fn open_end(&self) -> Option<u64> {
        match self.phase {
            Phase::Open { end, .. } => Some(end),
            _ => None,
        }
    }

    /// Whether a grant was asked for and not answered yet.
    pub fn grant_wanted(&self) -> bool {
        self.wanted
    }

    /// When [`handle_deadline`](Self::handle_deadline) has something to do: the end of the round.
    pub fn poll_deadline(&self) -> Option<u64> {
        let Phase::HalfOpen { entered, admits_before, held_elsewhere, .. } = self.phase else {
            return None;
        };
        if held_elsewhere && self.granted {
            // The coordinator ends it.
            return None;
        }
        // A granted round that nothing else ends is over when the whole lease is.
        let lease = admits_before.map(|end| 2 * (i128::from(end) - entered));
        let wait = self.settings.max_wait_in_half_open.or_else(|| u64::try_from(lease?).ok())?;
        let deadline = entered + i128::from(wait);
        Some(u64::try_from(deadline.max(0)).unwrap_or(u64::MAX))
    }

    /// Every state change so far, as (from, to).
    pub fn transitions(&self) -> &[(OracleState, OracleState)] {
        &self.transitions
    }

    pub(super) fn is_overridden(&self) -> bool {
        matches!(self.phase, Phase::ForcedOpen | Phase::Disabled | Phase::MetricsOnly)
    }
}
