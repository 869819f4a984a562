//! The pure circuit with a time and a list of what happened, and what only it shows.

use std::time::Duration;

use tower_breaker::circuit::{
    Admission, Booking, Circuit, Moment, Outcome, Reason, Refusal, RejectReason, SettingsBuilder,
    State, Transition, Transitions,
};

use crate::support::*;

pub(crate) struct Pure {
    pub(crate) circuit: Circuit,
    pub(crate) now: Moment,
    pub(crate) out: Transitions,
}

impl Pure {
    pub(crate) fn new(settings: SettingsBuilder) -> Self {
        Self::of(Circuit::new(settings.build().expect("valid settings").into(), 1))
    }

    pub(crate) fn of(circuit: Circuit) -> Self {
        Self { circuit, now: Moment::ZERO + secs(1_000), out: Transitions::new() }
    }

    pub(crate) fn wait(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    #[track_caller]
    pub(crate) fn admit(&mut self) -> u64 {
        match self.circuit.admit(self.now, &mut self.out) {
            Admission::Admitted { generation } => generation,
            Admission::Refused(refusal) => panic!("refused: {refusal:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn refused(&mut self) -> Refusal {
        match self.circuit.admit(self.now, &mut self.out) {
            Admission::Admitted { .. } => panic!("admitted"),
            Admission::Refused(refusal) => refusal,
        }
    }

    pub(crate) fn record(&mut self, generation: u64, outcome: Outcome, spent: Duration) -> Booking {
        self.circuit.record(generation, outcome, spent, self.now, &mut self.out)
    }

    #[track_caller]
    pub(crate) fn call(&mut self, outcome: Outcome) {
        let generation = self.admit();
        self.record(generation, outcome, Duration::ZERO);
    }

    #[track_caller]
    pub(crate) fn trip(&mut self) {
        for _ in 0..10_000 {
            self.call(Outcome::FAILURE);
            if self.circuit.state() == State::Open {
                return;
            }
        }
        panic!("10000 failures did not open the circuit");
    }

    /// Moves the time to the end of the open time.
    #[track_caller]
    pub(crate) fn wait_out(&mut self) {
        let (_, until) = self.circuit.open_period().expect("the circuit is open");
        self.now = until;
    }

    pub(crate) fn happened(&mut self) -> Vec<Transition> {
        self.out.drain().collect()
    }
}

#[test]
fn a_transition_is_a_returned_value() {
    let mut pure = Pure::new(plain());
    pure.trip();
    let [open] = pure.happened()[..] else { panic!("one transition") };
    assert_eq!((open.from, open.to), (State::Closed, State::Open));
    assert_eq!((open.generation, open.version.counter), (2, 1));
    assert_eq!((open.at, open.open_for, open.reopens), (pure.now, Some(secs(60)), 0));
    assert_eq!(open.reason.as_str(), "consecutive_failures");
}

#[test]
fn a_call_exactly_at_the_end_of_the_open_time_is_admitted() {
    let mut pure = Pure::new(plain());
    pure.trip();
    pure.wait(secs(60) - NANO);
    let refusal = pure.refused();
    assert_eq!((refusal.retry_after, refusal.reason), (Some(NANO), RejectReason::Open));
    pure.wait(NANO);
    pure.admit();
    assert_eq!(pure.circuit.state(), State::HalfOpen);
}

#[test]
fn the_same_history_gives_the_same_verdicts() {
    let run = |seed| {
        let settings = plain().jitter(0.5).build().unwrap();
        let mut pure = Pure::of(Circuit::new(settings.into(), seed));
        for _ in 0..5 {
            pure.trip();
            pure.wait_out();
            pure.call(Outcome::SUCCESS);
            pure.call(Outcome::SUCCESS);
        }
        pure.happened().iter().filter_map(|it| it.open_for).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn an_expired_round_and_the_probe_that_finds_it_are_two_transitions() {
    let mut pure = Pure::new(plain());
    pure.trip();
    pure.wait_out();
    pure.admit();
    pure.happened();
    let entered = pure.now;
    // The round ends after 120 s, its open time of 120 s as well.
    pure.wait(secs(240));
    pure.admit();
    let [reopened, half_open] = pure.happened()[..] else { panic!("two transitions") };
    assert_eq!((reopened.to, reopened.at), (State::Open, entered + secs(120)));
    assert_eq!((half_open.to, half_open.at), (State::HalfOpen, pure.now));
    assert_eq!(half_open.reason, Reason::RecoveryTimeElapsed);
}

#[test]
fn advance_counts_as_single_calls_do() {
    let settings = rate(0.5, tower_breaker::SlidingWindow::count(10), 4);
    let mut steps = Pure::new(settings.clone());
    let mut leap = Pure::new(settings);
    for pure in [&mut steps, &mut leap] {
        pure.call(Outcome::FAILURE);
        pure.call(Outcome::FAILURE);
    }
    let mut admitted = 0;
    while let Admission::Admitted { generation } = steps.circuit.admit(steps.now, &mut steps.out) {
        steps.record(generation, Outcome::SUCCESS, Duration::ZERO);
        admitted += 1;
    }
    // The second success completes the minimum and trips: the rest is refused.
    let now = leap.now;
    assert_eq!(leap.circuit.advance(1_000, now, &mut leap.out), admitted);
    assert_eq!(admitted, 2);
    assert_eq!(leap.happened(), steps.happened());
    assert_eq!(leap.circuit.counts(), steps.circuit.counts());
}

#[test]
fn slow_calls_in_flight_that_a_driver_tells_of_count_only_where_that_is_on() {
    for counted in [true, false] {
        let mut pure = Pure::new(slow_rate(0.5, 10, 4).slow_calls_in_flight(counted));
        let (now, out) = (pure.now, &mut pure.out);
        pure.circuit.set_slow_calls_in_flight(3, now, out);
        assert_eq!(pure.circuit.slow_calls_in_flight(), if counted { 3 } else { 0 });
        pure.circuit.set_slow_calls_in_flight(4, now, out);
        assert_eq!(pure.circuit.state(), if counted { State::Open } else { State::Closed });
    }
}
