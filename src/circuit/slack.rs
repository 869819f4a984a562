//! Successes that change no verdict, and many of them in one step.

use std::time::Duration;

use super::{
    admission::Admission,
    machine::{Circuit, Phase},
    moment::Moment,
    outcome::Outcome,
    state::{Override, State},
    transition::Transitions,
};

/// How many plain successes cannot change a verdict, and until when that holds.
///
/// Plain means neither slow nor with a Retry-After. As long as only such successes end, they need
/// not be judged one by one: they can be counted anywhere and booked together with
/// [`Circuit::record_successes`] before anything else is done to the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slack {
    /// How many; `u64::MAX` for any number.
    pub successes: u64,
    /// From here on calls may leave the window, and slack has to be asked for again.
    pub until: Moment,
    /// Whether the successes are counted at all: not while the circuit is disabled.
    pub counted: bool,
}

impl Slack {
    const NONE: Self = Self { successes: 0, until: Moment::ZERO, counted: false };
}

impl Circuit {
    /// Whether time alone moves the window.
    pub(crate) fn window_moves(&self) -> bool {
        self.window.as_ref().is_some_and(|window| window.moves_at() < Moment::MAX)
    }

    /// How many plain successes that end from `now` on cannot change a verdict.
    pub fn slack(&mut self, now: Moment) -> Slack {
        if self.override_ == Some(Override::Disabled) {
            return Slack { successes: u64::MAX, until: Moment::MAX, counted: false };
        }
        // The first success after a failure ends the run.
        if !matches!(self.state(), State::Closed | State::MetricsOnly) || self.run > 0 {
            return Slack::NONE;
        }
        let Some(window) = &mut self.window else {
            return Slack { successes: u64::MAX, until: Moment::MAX, counted: true };
        };
        window.roll(now);
        let (until, capacity) = (window.moves_at(), window.capacity());
        let successes = match self.override_ {
            Some(_) => u64::MAX,
            None => self.harmless_successes(capacity),
        };
        Slack { successes, until, counted: true }
    }

    /// A success lowers both rates while nothing leaves the window, so only the one that completes
    /// the minimum can trip, or the next one where the rates are over their bounds already: after
    /// a change of settings, or when calls have left.
    fn harmless_successes(&self, capacity: u64) -> u64 {
        let counts = self.counts();
        let minimum = u64::from(self.settings.minimum_number_of_calls());
        let in_flight = u64::from(self.overdue);
        let rates = [
            (self.settings.failure_rate_threshold(), counts.failures, 0),
            (self.settings.slow_call_rate_threshold(), counts.slow_calls + in_flight, in_flight),
        ];
        rates
            .into_iter()
            .map(|(threshold, bad, extra)| {
                let Some(threshold) = threshold.filter(|_| bad > 0) else { return u64::MAX };
                let calls = counts.calls + extra;
                if calls + 1 < minimum {
                    return minimum - calls - 1;
                }
                let after = (counts.calls + 1).min(capacity) + extra;
                if bad as f64 / after as f64 >= threshold { 0 } else { u64::MAX }
            })
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Books plain successes that [`slack`](Self::slack) allowed. They belong to the slice that was
    /// the newest then.
    pub fn record_successes(&mut self, successes: u64) {
        if self.counts_results()
            && let (Phase::Closed, Some(window)) = (&self.phase, &mut self.window)
        {
            window.record_successes(successes);
        }
    }

    /// Many fast successful calls that ask and end at `now`, in one step.
    ///
    /// Equal to as many times [`admit`](Self::admit) and, if admitted, [`record`](Self::record)
    /// with [`Outcome::SUCCESS`]. Returns how many of them were admitted; the rest was refused.
    pub fn advance(&mut self, successes: u64, now: Moment, out: &mut Transitions) -> u64 {
        let mut left = successes;
        while left > 0 {
            self.handle_deadline(now, out);
            let harmless = self.slack(now).successes.min(left);
            if harmless > 0 {
                self.record_successes(harmless);
                left -= harmless;
                continue;
            }
            match self.admit(now, out) {
                Admission::Admitted { generation } => {
                    self.record(generation, Outcome::SUCCESS, Duration::ZERO, now, out);
                    left -= 1;
                }
                // Nothing but time changes the answer.
                Admission::Refused(_) => break,
            }
        }
        successes - left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::{Settings, SettingsBuilder, SlidingWindow};

    const NOW: Moment = Moment::from_nanos(1_500_000_000);

    fn circuit(settings: SettingsBuilder) -> Circuit {
        Circuit::new(settings.build().unwrap().into(), 0)
    }

    fn rated(share: f64, window: SlidingWindow, minimum: u32) -> SettingsBuilder {
        Settings::builder()
            .failure_threshold(None)
            .failure_rate_threshold(share)
            .sliding_window(window)
            .minimum_number_of_calls(minimum)
    }

    /// Failures, then successes.
    fn calls(circuit: &mut Circuit, failures: u32, successes: u32) {
        let outcomes = (0..failures + successes).map(|call| Outcome::failure_if(call < failures));
        for outcome in outcomes {
            let generation = circuit.generation();
            circuit.record(generation, outcome, Duration::ZERO, NOW, &mut Transitions::new());
        }
    }

    #[test]
    fn only_a_window_of_time_moves_by_itself() {
        let second = SlidingWindow::time(Duration::from_secs(1));
        assert!(circuit(rated(0.5, second, 1)).window_moves());
        assert!(!circuit(rated(0.5, SlidingWindow::count(10), 1)).window_moves());
        assert!(!circuit(Settings::builder().sliding_window(second)).window_moves());
    }

    #[test]
    fn successes_are_harmless_until_one_completes_the_minimum_or_the_rate_is_too_high() {
        for (share, minimum, (failures, successes), harmless) in [
            // A share of nothing crosses no bound.
            (0.5, 4, (0, 0), u64::MAX),
            (0.5, 4, (0, 9), u64::MAX),
            // The tenth call completes the minimum.
            (0.5, 10, (1, 1), 7),
            (0.5, 10, (1, 7), 1),
            (0.5, 10, (1, 8), u64::MAX),
            // The next call is judged: exactly at the share is over it.
            (0.5, 4, (2, 1), 0),
            (0.6, 4, (2, 1), u64::MAX),
            // In a full window the next call pushes out another.
            (0.9, 4, (2, 8), u64::MAX),
        ] {
            let mut circuit = circuit(rated(share, SlidingWindow::count(10), minimum));
            calls(&mut circuit, failures, successes);
            let slack = Slack { successes: harmless, until: Moment::MAX, counted: true };
            let case = format!("{failures} failures, {successes} successes, {share}, {minimum}");
            assert_eq!(circuit.slack(NOW), slack, "{case}");
        }
    }

    #[test]
    fn slow_calls_in_flight_are_calls_that_the_next_success_is_judged_with() {
        for (share, in_flight, harmless) in [(0.7, 2, u64::MAX), (0.6, 2, 0), (0.6, 1, 1)] {
            let settings = rated(1.0, SlidingWindow::count(10), 5)
                .failure_rate_threshold(None)
                .slow_call_rate_threshold(share);
            let mut circuit = circuit(settings);
            let slow = Duration::from_secs(10);
            let (generation, mut out) = (circuit.generation(), Transitions::new());
            circuit.record(generation, Outcome::SUCCESS, slow, NOW, &mut out);
            calls(&mut circuit, 0, 1);
            circuit.set_slow_calls_in_flight(in_flight, NOW, &mut out);
            assert_eq!(circuit.slack(NOW).successes, harmless, "{share} {in_flight}");
        }
    }

    #[test]
    fn slack_lasts_until_the_window_moves_and_there_is_none_after_a_failure() {
        let window = SlidingWindow::time(Duration::from_secs(10));
        let mut circuit = circuit(rated(0.5, window, 4));
        assert_eq!(circuit.slack(NOW).until, Moment::from_nanos(2_000_000_000));
        calls(&mut circuit, 1, 0);
        assert_eq!(circuit.slack(NOW), Slack::NONE);
    }

    // One by one they would take longer than anybody waits.
    #[test]
    fn any_number_of_successes_is_one_step() {
        let many = u64::MAX / 2;
        for window in [SlidingWindow::count(10), SlidingWindow::time(Duration::from_secs(10))] {
            let mut circuit = circuit(rated(0.5, window, 4));
            calls(&mut circuit, 1, 0);
            assert_eq!(circuit.advance(many, NOW, &mut Transitions::new()), many);
            assert_eq!(circuit.state(), State::Closed);
        }
    }
}
