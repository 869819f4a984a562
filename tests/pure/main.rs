//! The pure circuit alone against the naive oracle: what the live one cannot be told, as well.
//!
//! The number of slow calls in flight is told at random here, results may come twice or without a
//! call, and the clock may go back. It needs nothing of the crate but `circuit`, so that mutation
//! testing can build that alone.

#[path = "../model/advance.rs"]
mod advance;
#[path = "../model/both.rs"]
mod both;
#[path = "../model/convert.rs"]
mod convert;
#[path = "../model/oracle/mod.rs"]
mod oracle;
#[allow(dead_code, reason = "there is no live circuit here that could be keyed")]
#[path = "../model/steps.rs"]
mod steps;

use std::sync::Arc;

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use tower_breaker::circuit::{Admission, Circuit, Gate, Grant, Moment, Outcome, Transitions};

use crate::{
    both::{Shared, adopt, agree, set_override, succeed},
    convert::{outcome_of, settings_of, state_of},
    oracle::{Oracle, OracleOutcome, OracleSettings, OracleState},
    steps::{Plan, Step, duration, plan},
};

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(20_000)
}

#[test]
fn the_pure_circuit_does_what_the_oracle_does() {
    let mut config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    config.max_shrink_iters = config.max_shrink_iters.min(2_000);
    let told = prop::collection::vec(prop::option::weighted(0.1, 0_u32..4), 80);
    TestRunner::new(config)
        .run(&(plan(), told), |(plan, told)| {
            let mut pair = Pair::new(&plan);
            for (index, (step, told)) in plan.steps.iter().zip(told).enumerate() {
                let fail = |differs| TestCaseError::fail(format!("step {index}: {differs}"));
                if let Some(slow) = told {
                    pair.tell(slow);
                    pair.compare().map_err(fail)?;
                }
                pair.step(step).map_err(fail)?;
                pair.compare().map_err(fail)?;
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

struct Pair {
    now: u64,
    settings: OracleSettings,
    oracle: Oracle,
    pure: Circuit,
    /// Generation and start of the calls in flight.
    calls: Vec<(u64, u64)>,
    shared: u64,
    transitions: usize,
}

impl Pair {
    fn new(plan: &Plan) -> Self {
        Self {
            now: 1_000_000_000_000,
            settings: plan.settings.clone(),
            oracle: Oracle::new(plan.settings.clone()),
            pure: Circuit::new(Arc::new(settings_of(&plan.settings)), 7),
            calls: Vec::new(),
            shared: 0,
            transitions: 0,
        }
    }

    fn tell(&mut self, slow: u32) {
        if self.settings.slow_call_rate_threshold.is_some() {
            self.oracle.in_flight_slow(slow, self.now);
            self.pure(|circuit, now, out| circuit.set_slow_calls_in_flight(slow, now, out));
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Wait(nanos) => self.now += nanos,
            Step::Admit => drop(self.admit()?),
            Step::Call(outcome) => {
                if self.admit()? {
                    let last = self.calls.len() - 1;
                    self.finish(last, outcome, None);
                }
            }
            Step::Successes(successes) => {
                let admitted = succeed(&mut self.oracle, successes, self.now);
                let pure = self.pure(|circuit, now, out| circuit.advance(successes, now, out));
                agree("admitted by advance", admitted, pure)?;
            }
            Step::Finish(call, outcome, retry_after) if !self.calls.is_empty() => {
                self.finish(call % self.calls.len(), outcome, retry_after);
            }
            Step::Drop(call) if !self.calls.is_empty() => {
                let (generation, start) = self.calls.remove(call % self.calls.len());
                let elapsed = self.now - start;
                self.oracle.cancel(generation, elapsed, self.now);
                self.pure(|it, now, out| it.cancel(generation, duration(elapsed), now, out));
            }
            Step::Finish(..) | Step::Drop(_) => {}
            Step::Look => {
                self.oracle.handle_deadline(self.now);
                self.pure(|circuit, now, out| circuit.handle_deadline(now, out));
            }
            Step::Override(state) => {
                let over = set_override(&mut self.oracle, state, self.now);
                self.pure(|circuit, now, out| circuit.set_override(over, now, out));
                agree("override", Some(over), self.pure.override_in_force())?;
            }
            Step::Lift => {
                self.oracle.lift_override(self.now);
                self.pure(|circuit, now, out| circuit.lift_override(now, out));
                agree("override", None, self.pure.override_in_force())?;
            }
            Step::Reset => {
                self.oracle.reset(self.now);
                self.pure(|circuit, now, out| circuit.reset(now, out));
            }
            Step::Configure(ref settings) => {
                self.settings = settings.clone();
                self.oracle.configure(settings.clone(), self.now);
                let settings = Arc::new(settings_of(settings));
                let now = Moment::from_nanos(self.now);
                self.pure.configure(Arc::clone(&settings), now);
                agree("settings", &settings, self.pure.settings())?;
            }
            Step::Granted(granted) => {
                let gate = if granted { Gate::Granted } else { Gate::Local };
                self.oracle.set_granted(granted);
                self.pure.set_gate(gate);
                agree("gate", gate, self.pure.gate())?;
            }
            Step::Grant { budget, lasting } => {
                self.oracle.grant(1, budget, self.now + lasting, self.now);
                let deadline = Moment::from_nanos(self.now + lasting);
                let grant = Grant { token: 1, budget, deadline };
                self.pure(|circuit, now, out| circuit.grant(grant, now, out));
            }
            Step::Extend(lasting) => {
                self.oracle.extend_grant(self.now + lasting);
                self.pure.extend_grant(Moment::from_nanos(self.now + lasting));
            }
            Step::Decline => self.pure.decline_grant(),
            Step::Adopt { state, elapsed, open_for, reopens, newer } => {
                self.shared += u64::from(newer);
                let version = self.shared;
                let shared = Shared { state, elapsed, open_for, reopens, version };
                let adoption = adopt(&mut self.oracle, shared, self.now);
                self.pure(|circuit, now, out| circuit.adopt(adoption, now, out));
                if newer {
                    agree("version", adoption.version, self.pure.version())?;
                }
            }
        }
        Ok(())
    }

    fn admit(&mut self) -> Result<bool, String> {
        let oracle = self.oracle.admit(self.now);
        let pure = self.pure(|circuit, now, out| circuit.admit(now, out));
        match (oracle, pure) {
            (Ok(oracle), Admission::Admitted { generation }) => {
                agree("generation", oracle, generation)?;
                self.calls.push((generation, self.now));
                Ok(true)
            }
            (Err(oracle), Admission::Refused(refusal)) => {
                agree("retry_after", oracle.map(duration), refusal.retry_after)?;
                agree("state of the refusal", self.pure.state(), refusal.state)?;
                Ok(false)
            }
            (oracle, pure) => Err(format!("admitted: {oracle:?} is not {pure:?}")),
        }
    }

    fn finish(&mut self, call: usize, outcome: OracleOutcome, retry_after: Option<u64>) {
        let (generation, start) = self.calls.remove(call);
        let elapsed = self.now - start;
        let told = retry_after.filter(|&nanos| nanos > 0);
        self.oracle.record(generation, outcome, told, elapsed, self.now);
        let outcome: Outcome = outcome_of(outcome);
        let outcome = outcome.with_retry_after(duration(retry_after.unwrap_or(0)));
        self.pure(|it, now, out| it.record(generation, outcome, duration(elapsed), now, out));
    }

    fn compare(&mut self) -> Result<(), String> {
        let (oracle, pure) = (&self.oracle, &mut self.pure);
        let state = oracle.state();
        agree("state", state_of(state), pure.state())?;
        agree("generation", oracle.generation(), pure.generation())?;
        agree("reopens", oracle.reopens(), pure.reopens())?;
        if matches!(state, OracleState::Closed | OracleState::MetricsOnly) {
            let run = oracle.consecutive_failures();
            agree("failures in a row", run, pure.consecutive_failures())?;
        }
        if oracle.window_is_exact() && oracle.counts_are_decided() {
            let counts = pure.counts_at(Moment::from_nanos(self.now));
            let counts = (counts.calls, counts.failures, counts.slow_calls);
            agree("counts", oracle.counts(self.now), counts)?;
        }
        let end = pure.open_period().map(|(_, end)| end.as_nanos());
        agree("end of the open time", oracle.open_end(), end)?;
        let deadline = pure.poll_deadline().map(Moment::as_nanos);
        agree("end of the round", oracle.poll_deadline(), deadline)?;
        agree("a trip reason", matches!(state, OracleState::Open), {
            pure.trip_reason().is_some() && state == OracleState::Open
        })?;
        agree("transitions", oracle.transitions().len(), self.transitions)
    }

    /// Does something to the pure circuit and holds what it says happened together.
    fn pure<R>(&mut self, op: impl FnOnce(&mut Circuit, Moment, &mut Transitions) -> R) -> R {
        let mut out = Transitions::new();
        let mut state = self.pure.state();
        let mut generation = self.pure.generation();
        let result = op(&mut self.pure, Moment::from_nanos(self.now), &mut out);
        for transition in out.drain() {
            assert_eq!(transition.from, state, "{transition:?}");
            assert_eq!(transition.generation, generation + 1, "{transition:?}");
            assert!(transition.at <= Moment::from_nanos(self.now), "{transition:?}");
            let opens = transition.to == tower_breaker::circuit::State::Open;
            assert_eq!(transition.open_for.is_some(), opens, "{transition:?}");
            self.transitions += usize::from(transition.from != transition.to);
            (state, generation) = (transition.to, transition.generation);
        }
        assert_eq!((self.pure.state(), self.pure.generation()), (state, generation));
        result
    }
}
