//! The live circuit.

use std::{sync::OnceLock, time::Duration};

use super::{
    gate::GateWord,
    in_flight::InFlight,
    lane::{Lane, Lanes},
    ledger::{Ledger, Totals},
};
use crate::{
    breaker::clock::ClockSource,
    circuit::{
        Admission, Booking, Circuit, Moment, Outcome, Refusal, RejectReason, Slack, Standing,
        State, Transition, Transitions,
    },
    sync::{AtomicU64, Mutex, Ordering, lock},
};

/// The start of a call that nobody had to know. No clock reads this.
pub(crate) const UNREAD: u64 = u64::MAX;

/// A circuit that many threads share: see the [module docs](super).
///
/// Times are in ticks of its clock. Operations that take the lock hand the transitions they caused
/// to a closure while the lock is held, so that their order is kept; it only queues them.
#[derive(Debug)]
pub(crate) struct LiveCircuit {
    gate: AtomicU64,
    /// Until when the gate or the leases hold, by the kind of gate: the end of the leases, of the
    /// open time, of the half-open round.
    until: AtomicU64,
    /// From how many ticks on a call is slow, and a dropped call a failure.
    slow_after: AtomicU64,
    clock: ClockSource,
    lanes: Lanes,
    /// Made when calls in flight are first to be tracked.
    in_flight: OnceLock<Box<InFlight>>,
    ledger: Mutex<Ledger>,
}

/// The answer to a call that asks.
pub(crate) type Asked = Result<GateWord, Refusal>;

impl LiveCircuit {
    pub(crate) fn new(circuit: Circuit, clock: ClockSource, lanes: Lanes) -> Self {
        let live = Self {
            gate: AtomicU64::new(0),
            until: AtomicU64::new(0),
            slow_after: AtomicU64::new(0),
            clock,
            lanes,
            in_flight: OnceLock::new(),
            ledger: Mutex::new(Ledger { circuit, totals: Totals::default() }),
        };
        live.configured(&mut lock(&live.ledger));
        live
    }

    #[inline(always)]
    pub(crate) fn clock(&self) -> &ClockSource {
        &self.clock
    }

    #[inline(always)]
    pub(crate) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    #[inline(always)]
    pub(crate) fn gate(&self) -> GateWord {
        GateWord::from_bits(self.gate.load(Ordering::Acquire))
    }

    // ===== asking =====

    /// Asks for a healthy call: the gate if it admits without further questions.
    #[inline(always)]
    pub(crate) fn ask(&self, lane: &Lane) -> Option<GateWord> {
        let gate = self.gate();
        if gate.admits() {
            lane.count_admitted();
            return Some(gate);
        }
        None
    }

    /// Asks for a call that neither [`ask`](Self::ask) admitted nor [`refusal`](Self::refusal)
    /// refused.
    pub(crate) fn ask_closely(&self, lane: &Lane, on: impl FnOnce(&[Transition])) -> Asked {
        let mut gate = self.gate();
        let admission = self.with(self.clock.ticks(), lane, on, |circuit, now, out| {
            let admission = circuit.admit(now, out);
            gate = self.gate_of(circuit);
            admission
        });
        match admission {
            Admission::Admitted { .. } => {
                lane.count_admitted();
                Ok(gate)
            }
            Admission::Refused(refusal) => Err(refusal),
        }
    }

    /// Why a call would be refused now, as far as that can be told without the lock.
    #[inline(always)]
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let (standing, until) = self.standing();
        let (state, reason) = match standing {
            Standing::Closed | Standing::MetricsOnly | Standing::Disabled | Standing::HasProbes => {
                return None;
            }
            Standing::Open => {
                let left = self.left(until)?;
                return Some(Refusal::new(State::Open, Some(left), RejectReason::Open));
            }
            Standing::ForcedOpen => (State::ForcedOpen, RejectReason::ForcedOpen),
            Standing::AwaitsGrant => (State::Open, RejectReason::AwaitingGrant),
            Standing::NoProbeLeft => (State::HalfOpen, RejectReason::NoProbeLeft),
            Standing::ProbedElsewhere => (State::HalfOpen, RejectReason::AwaitingGrant),
        };
        self.lasts(until).then(|| Refusal::new(state, None, reason))
    }

    /// Whether [`refusal`](Self::refusal) has one.
    #[inline(always)]
    pub(crate) fn refuses(&self) -> bool {
        let (standing, until) = self.standing();
        let asks = matches!(
            standing,
            Standing::Closed | Standing::MetricsOnly | Standing::Disabled | Standing::HasProbes
        );
        !asks && self.lasts(until)
    }

    /// What the gate says, and until when.
    #[inline(always)]
    fn standing(&self) -> (Standing, u64) {
        loop {
            let gate = self.gate();
            let until = self.until.load(Ordering::Acquire);
            // Both are of one state, or the gate has changed.
            if gate == self.gate() {
                return (gate.standing(), until);
            }
        }
    }

    #[inline(always)]
    fn lasts(&self, until: u64) -> bool {
        until == u64::MAX || self.clock.ticks() < until
    }

    /// The time left until the gate may answer otherwise, if time alone can make it.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let until = self.until.load(Ordering::Acquire);
        (until != u64::MAX).then(|| self.left(until).unwrap_or_default())
    }

    #[inline(always)]
    fn left(&self, until: u64) -> Option<Duration> {
        let now = self.clock.ticks();
        (now < until).then(|| self.clock.duration(until - now))
    }

    // ===== results =====

    /// Books a plain success without the lock, if it can change no verdict.
    #[inline(always)]
    pub(crate) fn succeed(&self, lane: &Lane, gate: GateWord, start: u64) -> bool {
        let mut now = 0;
        if gate.is_timed() || gate.is_clocked() {
            now = self.clock.ticks();
            if gate.is_timed()
                && now.saturating_sub(start) >= self.slow_after.load(Ordering::Relaxed)
            {
                return false;
            }
        }
        lane.take(gate, now, &self.gate, &self.until)
    }

    /// Books a result under the lock.
    pub(crate) fn book(
        &self,
        lane: &Lane,
        gate: GateWord,
        start: u64,
        outcome: Outcome,
        on: impl FnOnce(&[Transition]),
    ) -> Booked {
        let ticks = self.clock.ticks();
        let elapsed = self.elapsed(start, ticks);
        self.with_totals(ticks, lane, on, |ledger, now, out| {
            let circuit = &mut ledger.circuit;
            let generation = whole_generation(circuit, gate);
            let spent = elapsed.unwrap_or_default();
            let booking = circuit.record(generation, outcome, spent, now, out);
            ledger.totals.add(outcome, booking);
            Booked { booking, elapsed, admitted: self.lanes.sum(Lane::admitted) }
        })
    }

    /// What a call that is dropped without a result counts as.
    ///
    /// `None` where that changes nothing, so that no lock has to be taken.
    pub(crate) fn dropped(&self, gate: GateWord, start: u64) -> Option<Outcome> {
        if start != UNREAD {
            let lived = self.clock.ticks().saturating_sub(start);
            if lived >= self.slow_after.load(Ordering::Relaxed) {
                return Some(Outcome::FAILURE);
            }
        }
        (!gate.admits()).then_some(Outcome::IGNORED)
    }

    fn elapsed(&self, start: u64, now: u64) -> Option<Duration> {
        (start != UNREAD).then(|| self.clock.duration(now.saturating_sub(start)))
    }

    // ===== calls in flight =====

    /// Tracks a call that goes on. Returns the tag to end it with, zero if it need not be.
    ///
    /// A call that starts after the leases ended looks whether calls have become slow meanwhile:
    /// when all calls hang, no result would.
    pub(crate) fn track(
        &self,
        lane: &Lane,
        gate: GateWord,
        start: u64,
        on: impl FnOnce(&[Transition]),
    ) -> u32 {
        let Some(in_flight) = self.in_flight.get() else { return 0 };
        let tag = in_flight.tag();
        // The gate is written before the tag changes: with the same gate the tag is its own.
        if self.gate() != gate {
            return 0;
        }
        in_flight.begin(lane.index, tag, start);
        if start >= self.until.load(Ordering::Relaxed) {
            self.look(lane, on);
        }
        tag
    }

    pub(crate) fn untrack(&self, lane: &Lane, tag: u32, start: u64) {
        if tag != 0
            && let Some(in_flight) = self.in_flight.get()
        {
            in_flight.end(lane.index, tag, start);
        }
    }

    /// Lets time do what it does by itself.
    pub(crate) fn look(&self, lane: &Lane, on: impl FnOnce(&[Transition])) {
        self.with(self.clock.ticks(), lane, on, |circuit, now, out| {
            circuit.handle_deadline(now, out);
        });
    }

    /// When [`look`](Self::look) may do something.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let ledger = lock(&self.ledger);
        let round = ledger.circuit.poll_deadline();
        let in_flight = self.tracked(&ledger.circuit).and_then(|in_flight| {
            let ticks = self.clock.ticks();
            let due = is_due(in_flight, &ledger.circuit, ticks);
            let next = if due { ticks } else { in_flight.next_slow(ticks)? };
            Some(self.clock.moment(next))
        });
        round.into_iter().chain(in_flight).min()
    }

    // ===== under the lock =====

    /// Runs `op` on the exact circuit, and puts in force what it did.
    pub(crate) fn with<R>(
        &self,
        ticks: u64,
        lane: &Lane,
        on: impl FnOnce(&[Transition]),
        op: impl FnOnce(&mut Circuit, Moment, &mut Transitions) -> R,
    ) -> R {
        self.with_totals(ticks, lane, on, |ledger, now, out| op(&mut ledger.circuit, now, out))
    }

    fn with_totals<R>(
        &self,
        ticks: u64,
        lane: &Lane,
        on: impl FnOnce(&[Transition]),
        op: impl FnOnce(&mut Ledger, Moment, &mut Transitions) -> R,
    ) -> R {
        let now = self.clock.moment(ticks);
        let mut out = Transitions::new();
        let mut ledger = lock(&self.ledger);
        ledger.circuit.record_successes(self.lanes.revoke());
        if let Some(in_flight) = self.tracked(&ledger.circuit) {
            let slow = in_flight.slow(ticks);
            if slow != ledger.circuit.slow_calls_in_flight() {
                ledger.circuit.set_slow_calls_in_flight(slow, now, &mut out);
            }
        }
        let result = op(&mut ledger, now, &mut out);
        self.put_in_force(&mut ledger.circuit, ticks, now, lane);
        if !out.is_empty() {
            on(&out);
        }
        result
    }

    /// Runs `op`, which may change the settings, and puts them in force.
    pub(crate) fn configure(
        &self,
        lane: &Lane,
        on: impl FnOnce(&[Transition]),
        op: impl FnOnce(&mut Circuit, Moment, &mut Transitions),
    ) {
        let ticks = self.clock.ticks();
        self.with_totals(ticks, lane, on, |ledger, now, out| {
            op(&mut ledger.circuit, now, out);
            self.configured(ledger);
        });
    }

    /// Looks at the exact circuit without letting it judge anything.
    pub(crate) fn read<R>(&self, lane: &Lane, op: impl FnOnce(&mut Circuit, Read) -> R) -> R {
        let ticks = self.clock.ticks();
        let now = self.clock.moment(ticks);
        let mut ledger = lock(&self.ledger);
        ledger.circuit.record_successes(self.lanes.revoke());
        let slow_in_flight = self.tracked(&ledger.circuit).map_or(0, |it| it.slow(ticks));
        let totals = ledger.totals;
        let result = op(&mut ledger.circuit, Read { now, totals, slow_in_flight });
        self.put_in_force(&mut ledger.circuit, ticks, now, lane);
        result
    }

    fn configured(&self, ledger: &mut Ledger) {
        let settings = ledger.circuit.settings();
        let slow_after = self.clock.ticks_for(settings.slow_call_duration_threshold());
        let known = self.slow_after.swap(slow_after, Ordering::Relaxed);
        if settings.detects_slow_calls() && settings.slow_calls_in_flight() {
            let lanes = self.lanes.count();
            self.in_flight.get_or_init(|| Box::new(InFlight::new(lanes, slow_after)));
        }
        if slow_after != known
            && let Some(in_flight) = self.in_flight.get()
        {
            in_flight.restart(slow_after);
        }
        let ticks = self.clock.ticks();
        let lane = self.lanes.get(0);
        ledger.circuit.record_successes(self.lanes.revoke());
        self.put_in_force(&mut ledger.circuit, ticks, self.clock.moment(ticks), lane);
    }

    /// Writes the gate and new leases. All leases are back.
    fn put_in_force(&self, circuit: &mut Circuit, ticks: u64, now: Moment, lane: &Lane) {
        let before = self.gate();
        let gate = self.gate_of(circuit);
        let slack = circuit.slack(now);
        let until = match circuit.standing() {
            (Standing::Closed | Standing::MetricsOnly | Standing::Disabled, _) => {
                self.lease_end(circuit, slack, ticks)
            }
            (_, until) => self.clock.ticks_at(until),
        };
        if gate != before {
            // Whoever sees the new time sees that the gate is not the old one any more, and asks
            // under the lock.
            let changing = GateWord::new(Standing::HasProbes, before.generation());
            self.gate.store(changing.bits(), Ordering::Release);
        }
        self.until.store(until, Ordering::Release);
        if gate != before {
            self.gate.store(gate.bits(), Ordering::Release);
            if gate.generation() != before.generation()
                && let Some(in_flight) = self.in_flight.get()
            {
                in_flight.restart(self.slow_after.load(Ordering::Relaxed));
            }
        }
        if slack.counted {
            self.lanes.lease(slack.successes, lane);
        } else if slack.successes > 0 {
            self.lanes.lease_free();
        }
    }

    /// Until when leases are good: a slice ends, or a call in flight becomes slow. A call that
    /// starts from now on is not slow before the slow-call duration is over.
    fn lease_end(&self, circuit: &Circuit, slack: Slack, ticks: u64) -> u64 {
        let slice = self.clock.ticks_at(slack.until);
        match self.tracked(circuit) {
            None => slice,
            // Whoever only looked leaves it to the next call.
            Some(in_flight) if is_due(in_flight, circuit, ticks) => 0,
            Some(in_flight) => {
                let slow_after = self.slow_after.load(Ordering::Relaxed);
                let next = in_flight.next_slow(ticks).unwrap_or(u64::MAX);
                slice.min(next).min(ticks.saturating_add(slow_after))
            }
        }
    }

    fn gate_of(&self, circuit: &Circuit) -> GateWord {
        let (standing, _) = circuit.standing();
        let gate = GateWord::new(standing, circuit.generation());
        let settings = circuit.settings();
        let judged = matches!(standing, Standing::Closed | Standing::MetricsOnly);
        let tracked = self.tracked(circuit).is_some();
        let moves = circuit.window_moves() || tracked;
        let timed = settings.detects_slow_calls() && standing != Standing::Disabled;
        gate.timed(timed).clocked(judged && moves).tracked(judged && tracked)
    }

    /// The calls in flight, where they count.
    fn tracked(&self, circuit: &Circuit) -> Option<&InFlight> {
        let settings = circuit.settings();
        let counts = matches!(circuit.state(), State::Closed | State::MetricsOnly)
            && settings.detects_slow_calls()
            && settings.slow_calls_in_flight();
        self.in_flight.get().filter(|_| counts).map(|in_flight| &**in_flight)
    }

    pub(crate) fn admitted(&self) -> u64 {
        self.lanes.sum(Lane::admitted)
    }

    pub(crate) fn rejected(&self) -> u64 {
        self.lanes.sum(Lane::rejected)
    }
}

/// What a reader of the circuit is told besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) now: Moment,
    pub(crate) totals: Totals,
    pub(crate) slow_in_flight: u32,
}

/// A result that was booked under the lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Booked {
    pub(crate) booking: Booking,
    /// None where nobody had to know when the call started.
    pub(crate) elapsed: Option<Duration>,
    /// Calls admitted so far.
    pub(crate) admitted: u64,
}

/// Whether another number of calls in flight is slow than the circuit has been told of.
fn is_due(in_flight: &InFlight, circuit: &Circuit, ticks: u64) -> bool {
    in_flight.slow(ticks) != circuit.slow_calls_in_flight()
}

/// The generation of a permit as the circuit counts it. The gate has its lower 56 bits.
fn whole_generation(circuit: &Circuit, gate: GateWord) -> u64 {
    let current = circuit.generation();
    if gate.is_generation(current) { current } else { current.wrapping_sub(1) }
}
