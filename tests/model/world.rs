//! The three circuits side by side.

use std::{sync::Arc, time::Duration};

use tower_breaker::{
    Breaker, BreakerMap, Permit,
    breaker::clock::ManualClock,
    circuit::{Admission, Circuit, Gate, Grant, Moment, Transitions},
};

use crate::{
    both::{Shared, adopt, agree, set_override, succeed},
    convert::{outcome_of, settings_of, state_of},
    oracle::{Oracle, OracleOutcome, OracleSettings, OracleState},
    steps::{Plan, Step, duration},
};

/// Late enough that nothing begins before the clock's origin.
const START: u64 = 1_000_000_000_000;

pub(crate) struct World {
    now: u64,
    settings: OracleSettings,
    clock: ManualClock,
    oracle: Oracle,
    pure: Circuit,
    live: Breaker,
    /// Keeps the keyed circuit.
    _map: BreakerMap,
    calls: Vec<Call>,
    shared: u64,
    seen: Seen,
}

/// What a history has been through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) open: bool,
    pub(crate) half_open: bool,
    pub(crate) closed_again: bool,
    pub(crate) late: bool,
    pub(crate) slow_in_flight: bool,
}

/// A call in flight.
struct Call {
    permit: Permit,
    start: u64,
    oracle: u64,
    pure: u64,
    /// Whether it was admitted without the lock, where a short call that is dropped changes nothing.
    closed: bool,
    /// Whether the live circuit sees it becoming slow.
    tracked: bool,
}

impl World {
    pub(crate) fn new(plan: &Plan) -> Self {
        let clock = ManualClock::new();
        clock.set(Moment::from_nanos(START));
        let settings = Arc::new(settings_of(&plan.settings));
        let map = BreakerMap::builder().settings(Arc::clone(&settings)).clock(clock.clone());
        let map = map.build().unwrap();
        let live = if plan.keyed {
            map.breaker("key")
        } else {
            let live = Breaker::builder("name").settings(Arc::clone(&settings));
            live.clock(clock.clone()).build().unwrap()
        };
        Self {
            now: START,
            settings: plan.settings.clone(),
            clock,
            oracle: Oracle::new(plan.settings.clone()),
            pure: Circuit::new(settings, 7),
            live,
            _map: map,
            calls: Vec::new(),
            shared: 0,
            seen: Seen::default(),
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen
    }

    /// Does a step to all three. Says where they differ.
    pub(crate) fn step(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Wait(nanos) => {
                self.now += nanos;
                self.clock.set(self.moment());
            }
            Step::Admit => self.admit()?,
            Step::Call(outcome) => {
                let before = self.calls.len();
                self.admit()?;
                if self.calls.len() > before {
                    self.finish(before, outcome, None);
                }
            }
            Step::Successes(successes) => self.successes(successes)?,
            Step::Finish(call, outcome, retry_after) => {
                if !self.calls.is_empty() {
                    self.finish(call % self.calls.len(), outcome, retry_after);
                }
            }
            Step::Drop(call) => {
                if !self.calls.is_empty() {
                    self.give_up(call % self.calls.len());
                }
            }
            Step::Look => {
                self.follow();
                self.oracle.handle_deadline(self.now);
                self.do_pure(|circuit, now, out| circuit.handle_deadline(now, out));
                self.live.handle_deadline();
            }
            Step::Override(state) => self.set_override(state),
            Step::Lift => {
                self.follow();
                self.oracle.lift_override(self.now);
                self.do_pure(|circuit, now, out| circuit.lift_override(now, out));
                self.live.lift_override();
            }
            Step::Reset => {
                self.follow();
                self.oracle.reset(self.now);
                self.do_pure(|circuit, now, out| circuit.reset(now, out));
                self.live.reset();
            }
            Step::Configure(ref settings) => self.configure(settings),
            Step::Granted(granted) => {
                let gate = if granted { Gate::Granted } else { Gate::Local };
                self.follow();
                self.oracle.set_granted(granted);
                self.pure.set_gate(gate);
                self.live.set_gate(gate);
            }
            Step::Grant { budget, lasting } => {
                self.follow();
                self.oracle.grant(1, budget, self.now + lasting, self.now);
                let deadline = self.moment() + duration(lasting);
                let grant = Grant { token: 1, budget, deadline };
                let began = self.do_pure(|circuit, now, out| circuit.grant(grant, now, out));
                agree("grant", began, self.live.grant(1, budget, duration(lasting)))?;
            }
            Step::Extend(lasting) => {
                self.follow();
                self.oracle.extend_grant(self.now + lasting);
                let deadline = self.moment() + duration(lasting);
                let extended = self.do_pure(|circuit, _, _| circuit.extend_grant(deadline));
                agree("extend", extended, self.live.extend_grant(duration(lasting)))?;
            }
            Step::Decline => {
                self.follow();
                self.pure.decline_grant();
                self.live.decline_grant();
            }
            Step::Adopt { state, elapsed, open_for, reopens, newer } => {
                self.shared += u64::from(newer);
                let version = self.shared;
                self.adopt(Shared { state, elapsed, open_for, reopens, version });
            }
        }
        self.compare()
    }

    // ===== steps =====

    fn admit(&mut self) -> Result<(), String> {
        let state = self.oracle.state();
        let judged = matches!(state, OracleState::Closed | OracleState::MetricsOnly);
        let closed = judged || state == OracleState::Disabled;
        if !judged {
            self.follow();
        }
        let oracle = self.oracle.admit(self.now);
        let pure = self.do_pure(|circuit, now, out| circuit.admit(now, out));
        let live = self.live.try_acquire();
        agree("admitted by oracle and pure", oracle.is_ok(), is_admitted(&pure))?;
        agree("admitted by oracle and live", oracle.is_ok(), live.is_ok())?;
        match (oracle, pure, live) {
            (Ok(oracle), Admission::Admitted { generation }, Ok(permit)) => {
                agree("generation", oracle, generation)?;
                agree("generation of the permit", oracle, permit.generation())?;
                let start = self.now;
                let tracked = judged && self.settings.slow_call_rate_threshold.is_some();
                self.calls.push(Call { permit, start, oracle, pure: generation, closed, tracked });
                // A call that goes on makes the live circuit look.
                self.follow();
            }
            (Err(oracle), Admission::Refused(refusal), Err(rejected)) => {
                let oracle = oracle.map(Duration::from_nanos);
                agree("retry_after of pure", oracle, refusal.retry_after)?;
                agree("retry_after of live", oracle, rejected.retry_after)?;
                agree("reason", refusal.reason, rejected.reason)?;
                agree("state of the rejection", refusal.state, rejected.state)?;
            }
            _ => unreachable!("they agree"),
        }
        Ok(())
    }

    fn successes(&mut self, successes: u64) -> Result<(), String> {
        self.follow();
        let admitted = succeed(&mut self.oracle, successes, self.now);
        let pure = self.do_pure(|circuit, now, out| circuit.advance(successes, now, out));
        agree("admitted by advance", admitted, pure)?;
        for _ in 0..successes {
            if let Ok(permit) = self.live.try_acquire() {
                permit.success();
            }
        }
        Ok(())
    }

    fn finish(&mut self, call: usize, outcome: OracleOutcome, retry_after: Option<u64>) {
        let call = self.calls.remove(call);
        self.follow();
        self.seen.late |= call.oracle != self.oracle.generation();
        let elapsed = self.now - call.start;
        // No time at all is no Retry-After.
        let told = retry_after.filter(|&nanos| nanos > 0);
        self.oracle.record(call.oracle, outcome, told, elapsed, self.now);
        let mut outcome = outcome_of(outcome);
        if let Some(nanos) = retry_after {
            outcome = outcome.with_retry_after(duration(nanos));
        }
        self.do_pure(|circuit, now, out| {
            circuit.record(call.pure, outcome, duration(elapsed), now, out)
        });
        call.permit.record(outcome);
    }

    fn give_up(&mut self, call: usize) {
        let call = self.calls.remove(call);
        let elapsed = self.now - call.start;
        let hung = elapsed >= self.settings.slow_call_duration_threshold;
        // A short one that was admitted in closed does not touch the live circuit at all, and a
        // round that is over is noticed by whoever comes next.
        if hung || !call.closed {
            self.follow();
            self.oracle.cancel(call.oracle, elapsed, self.now);
            self.do_pure(|circuit, now, out| {
                circuit.cancel(call.pure, duration(elapsed), now, out)
            });
        }
        drop(call.permit);
    }

    fn set_override(&mut self, state: OracleState) {
        self.follow();
        let over = set_override(&mut self.oracle, state, self.now);
        self.do_pure(|circuit, now, out| circuit.set_override(over, now, out));
        self.live.set_override(over);
    }

    fn configure(&mut self, settings: &OracleSettings) {
        self.follow();
        if settings.slow_call_duration_threshold != self.settings.slow_call_duration_threshold {
            // The calls in flight are not followed into another slow-call duration.
            self.calls.iter_mut().for_each(|call| call.tracked = false);
        }
        self.settings = settings.clone();
        self.oracle.configure(settings.clone(), self.now);
        let settings = Arc::new(settings_of(settings));
        let now = self.moment();
        self.pure.configure(Arc::clone(&settings), now);
        self.live.configure(settings);
    }

    fn adopt(&mut self, shared: Shared) {
        self.follow();
        let adoption = adopt(&mut self.oracle, shared, self.now);
        self.do_pure(|circuit, now, out| circuit.adopt(adoption, now, out));
        self.live.adopt(adoption);
    }

    // ===== calls in flight =====

    /// Tells oracle and pure circuit how many calls in flight the live one counts as slow: those of
    /// this generation whose slice of a quarter of the slow-call duration is older than that.
    fn follow(&mut self) {
        let generation = self.oracle.generation();
        let closed = matches!(self.oracle.state(), OracleState::Closed | OracleState::MetricsOnly);
        let counted = closed && self.settings.slow_call_rate_threshold.is_some();
        let width = self.settings.slow_call_duration_threshold / 4;
        let slow = self
            .calls
            .iter()
            .filter(|call| counted && call.tracked && call.oracle == generation)
            .filter(|call| (call.start / width + 5) * width + 3 <= self.now)
            .count() as u32;
        self.seen.slow_in_flight |= slow > 0;
        if slow != self.pure.slow_calls_in_flight() {
            self.oracle.in_flight_slow(slow, self.now);
            self.do_pure(|circuit, now, out| circuit.set_slow_calls_in_flight(slow, now, out));
        }
    }

    // ===== comparing =====

    fn compare(&mut self) -> Result<(), String> {
        let live = self.live.snapshot();
        let state = self.oracle.state();
        let closed = matches!(state, OracleState::Closed | OracleState::MetricsOnly);
        agree("state of pure", state_of(state), self.pure.state())?;
        agree("state of live", state_of(state), live.state)?;
        agree("generation of pure", self.oracle.generation(), self.pure.generation())?;
        agree("generation of live", self.oracle.generation(), live.generation)?;
        agree("reopens of pure", self.oracle.reopens(), self.pure.reopens())?;
        agree("reopens of live", self.oracle.reopens(), live.reopens)?;
        if closed {
            let run = self.oracle.consecutive_failures();
            agree("failures in a row of pure", run, self.pure.consecutive_failures())?;
            agree("failures in a row of live", run, live.consecutive_failures)?;
        }
        if self.oracle.window_is_exact() && self.oracle.counts_are_decided() {
            let counts = self.oracle.counts(self.now);
            let now = self.moment();
            let pure = self.pure.counts_at(now);
            agree("counts of pure", counts, (pure.calls, pure.failures, pure.slow_calls))?;
            let live = live.counts;
            agree("counts of live", counts, (live.calls, live.failures, live.slow_calls))?;
        }
        let end = self.oracle.open_end();
        let pure_end = self.pure.open_period().map(|(_, end)| end.as_nanos());
        agree("end of the open time", end, pure_end)?;
        let left = end.map(|end| duration(end.saturating_sub(self.now)));
        agree("time left", left, live.remaining)?;
        let deadline = self.pure.poll_deadline().map(Moment::as_nanos);
        agree("end of the round", self.oracle.poll_deadline(), deadline)?;

        self.seen.closed_again |= self.seen.half_open && state == OracleState::Closed;
        self.seen.open |= state == OracleState::Open;
        self.seen.half_open |= state == OracleState::HalfOpen;
        Ok(())
    }

    fn moment(&self) -> Moment {
        Moment::from_nanos(self.now)
    }

    fn do_pure<R>(&mut self, op: impl FnOnce(&mut Circuit, Moment, &mut Transitions) -> R) -> R {
        op(&mut self.pure, Moment::from_nanos(self.now), &mut Transitions::new())
    }
}

fn is_admitted(admission: &Admission) -> bool {
    matches!(admission, Admission::Admitted { .. })
}
