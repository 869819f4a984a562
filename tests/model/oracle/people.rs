//! What people do.

use super::{
    Oracle, OracleSettings, OracleWindow,
    circuit::Phase,
    window::{newest, same_slices},
};

impl Oracle {
    /// Refuses everything until lifted.
    pub fn force_open(&mut self, _now: u64) {
        self.set_override(Phase::ForcedOpen);
    }

    /// Admits everything and records nothing until lifted.
    pub fn disable(&mut self, _now: u64) {
        self.set_override(Phase::Disabled);
    }

    /// Admits everything and computes until lifted.
    pub fn metrics_only(&mut self, _now: u64) {
        self.set_override(Phase::MetricsOnly);
    }

    /// Leads from an override to closed with an empty window; without one it does nothing.
    pub fn lift_override(&mut self, _now: u64) {
        if self.is_overridden() {
            self.set_override(Phase::Closed);
        }
    }

    /// Clears window, counters and backoff, and closes unless there is an override.
    pub fn reset(&mut self, _now: u64) {
        let phase = if self.is_overridden() { self.phase.clone() } else { Phase::Closed };
        self.set_override(phase);
    }

    /// Changes the settings live: the generation stays and what the window holds is kept, to be
    /// judged at the next result. A round keeps its number of probes.
    pub fn configure(&mut self, settings: OracleSettings, now: u64) {
        let kept = self.visible(now);
        let old = self.settings.window;
        let new = settings.window;
        if settings.slow_call_rate_threshold.is_none()
            || settings.slow_call_duration_threshold != self.settings.slow_call_duration_threshold
        {
            // Calls in flight are forgotten until they are told anew.
            self.in_flight_slow = 0;
        }
        self.settings = settings;
        if !self.settings.keeps_window() {
            self.clear_window();
        } else if let (OracleWindow::Count(_), OracleWindow::Count(calls)) = (old, new) {
            // What had left the old window does not come back into a longer one.
            self.window = newest(&kept, calls);
        } else if !same_slices(old, new) && !self.window.is_empty() {
            self.window = kept;
            self.exact = false;
        }
    }
}
