//! The live circuit under its lock: taking leases back, doing something, and putting in force what
//! came of it.

use super::{
    gate::GateWord,
    in_flight::InFlight,
    lane::Lane,
    ledger::{Ledger, Totals},
    live::LiveCircuit,
};
use crate::{
    circuit::{Circuit, Moment, Slack, Standing, State, Transition, Transitions},
    sync::{Ordering, lock},
};

/// One instant, in ticks and scaled.
#[derive(Clone, Copy, Debug)]
struct At {
    ticks: u64,
    now: Moment,
}

/// The calls in flight that are slow, and when the next one becomes so: the last tick for never.
#[derive(Clone, Copy, Debug)]
struct Hanging {
    slow: u32,
    next: u64,
}

/// What came of something that was done under the lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effects<'a> {
    pub(crate) transitions: &'a [Transition],
    /// Whoever waits for another gate has to look again.
    pub(crate) gate_changed: bool,
}

/// What a reader of the circuit is told besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) now: Moment,
    pub(crate) totals: Totals,
    pub(crate) slow_in_flight: u32,
}

impl LiveCircuit {
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
        on: impl FnOnce(Effects<'_>),
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
    pub(crate) fn look(&self, lane: &Lane, on: impl FnOnce(Effects<'_>)) {
        self.with(self.clock.ticks(), lane, on, |circuit, now, out| {
            circuit.handle_deadline(now, out);
        });
    }

    /// When [`look`](Self::look) may do something.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let ledger = lock(&self.ledger);
        let round = ledger.circuit.poll_deadline();
        let ticks = self.clock.ticks();
        let in_flight = self.hanging(&ledger.circuit, ticks).and_then(|hanging| {
            let due = hanging.slow != ledger.circuit.slow_calls_in_flight();
            let next = if due { ticks } else { hanging.next };
            (next != u64::MAX).then(|| self.clock.moment(next))
        });
        round.into_iter().chain(in_flight).min()
    }

    // ===== under the lock =====

    /// Runs `op` on the exact circuit, and puts in force what it did.
    pub(crate) fn with<R>(
        &self,
        ticks: u64,
        lane: &Lane,
        on: impl FnOnce(Effects<'_>),
        op: impl FnOnce(&mut Circuit, Moment, &mut Transitions) -> R,
    ) -> R {
        self.with_totals(ticks, lane, on, |ledger, now, out| op(&mut ledger.circuit, now, out))
    }

    pub(super) fn with_totals<R>(
        &self,
        ticks: u64,
        lane: &Lane,
        on: impl FnOnce(Effects<'_>),
        op: impl FnOnce(&mut Ledger, Moment, &mut Transitions) -> R,
    ) -> R {
        let now = self.clock.moment(ticks);
        let mut out = Transitions::new();
        let mut ledger = lock(&self.ledger);
        ledger.book_successes(self.lanes.revoke());
        let hanging = self.hanging(&ledger.circuit, ticks);
        if let Some(hanging) = hanging
            && hanging.slow != ledger.circuit.slow_calls_in_flight()
        {
            ledger.circuit.set_slow_calls_in_flight(hanging.slow, now, &mut out);
        }
        let result = op(&mut ledger, now, &mut out);
        let gate_changed = self.put_in_force(&mut ledger, At { ticks, now }, hanging, lane);
        if gate_changed || !out.is_empty() {
            on(Effects { transitions: &out, gate_changed });
        }
        result
    }

    /// Runs `op`, which may change the settings, and puts them in force.
    pub(crate) fn configure(
        &self,
        lane: &Lane,
        on: impl FnOnce(Effects<'_>),
        op: impl FnOnce(&mut Circuit, Moment, &mut Transitions),
    ) {
        let ticks = self.clock.ticks();
        self.with_totals(ticks, lane, on, |ledger, now, out| {
            op(&mut ledger.circuit, now, out);
            self.configured(ledger);
        });
    }

    /// Makes calls that begin from now on know how long they take.
    pub(crate) fn measure(&self, lane: &Lane, on: impl FnOnce(Effects<'_>)) {
        self.with_totals(self.clock.ticks(), lane, on, |ledger, _, _| ledger.measured = true);
    }

    /// Looks at the exact circuit without letting it judge anything.
    pub(crate) fn read<R>(&self, lane: &Lane, op: impl FnOnce(&mut Circuit, Read) -> R) -> R {
        let ticks = self.clock.ticks();
        let now = self.clock.moment(ticks);
        let mut ledger = lock(&self.ledger);
        ledger.book_successes(self.lanes.revoke());
        let hanging = self.hanging(&ledger.circuit, ticks);
        let slow_in_flight = hanging.map_or(0, |hanging| hanging.slow);
        let totals = ledger.totals;
        let result = op(&mut ledger.circuit, Read { now, totals, slow_in_flight });
        self.put_in_force(&mut ledger, At { ticks, now }, hanging, lane);
        result
    }

    pub(super) fn configured(&self, ledger: &mut Ledger) {
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
    }

    /// Writes the gate and new leases, and says whether the gate is another. All leases are back.
    fn put_in_force(
        &self,
        ledger: &mut Ledger,
        at: At,
        hanging: Option<Hanging>,
        lane: &Lane,
    ) -> bool {
        let before = self.gate();
        let gate = self.gate_of(ledger);
        let circuit = &mut ledger.circuit;
        let slack = circuit.slack(at.now);
        let until = match circuit.standing() {
            (Standing::Closed | Standing::MetricsOnly | Standing::Disabled, _) => {
                self.lease_end(circuit, slack, at.ticks, hanging)
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
        gate != before
    }

    /// Until when leases are good: a slice ends, or a call in flight becomes slow. A call that
    /// starts from now on is not slow before the slow-call duration is over.
    fn lease_end(
        &self,
        circuit: &Circuit,
        slack: Slack,
        ticks: u64,
        hanging: Option<Hanging>,
    ) -> u64 {
        let slice = self.clock.ticks_at(slack.until);
        match hanging {
            // What was counted belongs to the circuit as it was, or nobody has judged it yet:
            // whoever only looked leaves that to the next call.
            Some(hanging) if hanging.slow != circuit.slow_calls_in_flight() => 0,
            Some(hanging) => {
                let slow_after = self.slow_after.load(Ordering::Relaxed);
                slice.min(hanging.next).min(ticks.saturating_add(slow_after))
            }
            None if self.tracked(circuit).is_some() => 0,
            None => slice,
        }
    }

    pub(super) fn gate_of(&self, ledger: &Ledger) -> GateWord {
        let circuit = &ledger.circuit;
        let (standing, _) = circuit.standing();
        let gate = GateWord::new(standing, circuit.generation());
        let settings = circuit.settings();
        let judged = matches!(standing, Standing::Closed | Standing::MetricsOnly);
        let tracked = self.tracked(circuit).is_some();
        let moves = circuit.window_moves() || tracked;
        let recorded = standing != Standing::Disabled;
        let measured = ledger.measured && recorded;
        let timed = measured || settings.detects_slow_calls() && recorded;
        gate.timed(timed).clocked(judged && moves).tracked(judged && tracked).measured(measured)
    }

    /// The calls in flight that are slow, where they count.
    fn hanging(&self, circuit: &Circuit, ticks: u64) -> Option<Hanging> {
        let in_flight = self.tracked(circuit)?;
        let next = in_flight.next_slow(ticks).unwrap_or(u64::MAX);
        Some(Hanging { slow: in_flight.slow(ticks), next })
    }

    /// The calls in flight, where they count.
    fn tracked(&self, circuit: &Circuit) -> Option<&InFlight> {
        let settings = circuit.settings();
        let counts = matches!(circuit.state(), State::Closed | State::MetricsOnly)
            && settings.detects_slow_calls()
            && settings.slow_calls_in_flight();
        self.in_flight.get().filter(|_| counts).map(|in_flight| &**in_flight)
    }
}
