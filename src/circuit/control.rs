//! What people do to a circuit: overrides, resets, new settings.

use std::sync::Arc;

use super::{
    machine::{Circuit, Phase},
    moment::Moment,
    reason::Reason,
    settings::Settings,
    state::Override,
    transition::{Origin, Transitions},
    window::Window,
};

impl Circuit {
    /// Sets a state that stays until it is lifted, with an empty window. Setting the one that is in
    /// force begins a generation too.
    pub fn set_override(&mut self, over: Override, now: Moment, out: &mut Transitions) {
        self.put_override(Some(over), Origin::Operator, now, out);
    }

    /// The override in force.
    #[must_use]
    pub fn override_in_force(&self) -> Option<Override> {
        self.override_
    }

    /// Lifts the override: the circuit is closed with an empty window. Does nothing without one.
    pub fn lift_override(&mut self, now: Moment, out: &mut Transitions) {
        if self.override_.is_some() {
            self.put_override(None, Origin::Operator, now, out);
        }
    }

    /// Takes over an override that was set, or with `None` lifted, in another process. Does what
    /// [`set_override`](Self::set_override) and [`lift_override`](Self::lift_override) do, as
    /// [`Origin::Peer`]; does nothing where the same is in force already. Returns whether it did.
    pub fn adopt_override(
        &mut self,
        over: Option<Override>,
        now: Moment,
        out: &mut Transitions,
    ) -> bool {
        let news = over != self.override_;
        if news {
            self.put_override(over, Origin::Peer, now, out);
        }
        news
    }

    fn put_override(
        &mut self,
        over: Option<Override>,
        by: Origin,
        now: Moment,
        out: &mut Transitions,
    ) {
        let from = self.state();
        self.override_ = over;
        self.forget();
        let reason = if over.is_some() { Reason::Overridden } else { Reason::OverrideLifted };
        self.report(from, reason, by, now, out);
    }

    /// Clears window, counters and backoff and closes the circuit, whatever its state. An override
    /// stays in force.
    pub fn reset(&mut self, now: Moment, out: &mut Transitions) {
        let from = self.state();
        self.forget();
        self.report(from, Reason::Reset, Origin::Operator, now, out);
    }

    fn forget(&mut self) {
        self.phase = Phase::Closed;
        self.reopens = 0;
        self.trip = None;
        self.version = self.version.next();
        self.begin_generation();
    }

    /// Puts new settings in force without losing the window. They are judged with the next result.
    ///
    /// An open time that runs is not changed, and a half-open round keeps its number of probes.
    /// Where the slow-call duration changes, calls in flight are forgotten until they are told anew.
    /// Where the kind of window changes, or the length of its slices, the calls are carried over as
    /// booked at `now`, or slice by slice.
    pub fn configure(&mut self, settings: Arc<Settings>, now: Moment) {
        self.window = match &self.window {
            Some(window) if settings.has_window() => {
                Some(Box::new(window.resized(settings.sliding_window(), now)))
            }
            _ => Window::new(&settings),
        };
        let told = self.settings.slow_call_duration_threshold();
        let counts = settings.slow_calls_in_flight() && settings.detects_slow_calls();
        if !counts || settings.slow_call_duration_threshold() != told {
            self.overdue = 0;
        }
        self.settings = settings;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::circuit::{SettingsBuilder, State};

    #[test]
    fn an_override_of_a_peer_is_set_and_lifted_once() {
        let mut circuit = Circuit::new(Arc::default(), 0);
        for (over, state, reason) in [
            (Some(Override::Disabled), State::Disabled, Reason::Overridden),
            (Some(Override::ForcedOpen), State::ForcedOpen, Reason::Overridden),
            (None, State::Closed, Reason::OverrideLifted),
        ] {
            let mut out = Transitions::new();
            let generation = circuit.generation();
            assert!(circuit.adopt_override(over, Moment::ZERO, &mut out));
            assert!(!circuit.adopt_override(over, Moment::ZERO, &mut out));
            let [happened] = out[..] else { panic!("{out:?}") };
            assert_eq!((happened.to, happened.reason, happened.by), (state, reason, Origin::Peer));
            assert_eq!((circuit.generation(), circuit.state()), (generation + 1, state));
            assert_eq!(circuit.override_in_force(), over);
        }
    }

    #[test]
    fn new_settings_forget_the_calls_in_flight_only_where_they_are_slow_no_more() {
        let slow = Settings::builder()
            .failure_threshold(3)
            .slow_call_rate_threshold(0.5)
            .slow_call_duration_threshold(Duration::from_secs(1));
        type Change = fn(SettingsBuilder) -> SettingsBuilder;
        let changes: [(&str, Change, u32); 5] = [
            ("nothing", |it| it, 2),
            ("another bound", |it| it.failure_threshold(4).slow_call_rate_threshold(0.9), 2),
            ("another duration", |it| it.slow_call_duration_threshold(Duration::from_secs(2)), 0),
            ("they do not count", |it| it.slow_calls_in_flight(false), 0),
            ("no slow call counts", |it| it.slow_call_rate_threshold(None), 0),
        ];
        for (changed, change, left) in changes {
            let mut circuit = Circuit::new(slow.clone().build().unwrap().into(), 0);
            circuit.set_slow_calls_in_flight(2, Moment::ZERO, &mut Transitions::new());
            circuit.configure(change(slow.clone()).build().unwrap().into(), Moment::ZERO);
            assert_eq!(circuit.slow_calls_in_flight(), left, "{changed}");
        }
    }
}
