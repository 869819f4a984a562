//! The live circuit.

use std::{sync::OnceLock, time::Duration};

use super::{
    gate::GateWord,
    in_flight::InFlight,
    lane::{Lane, Lanes},
    ledger::{Ledger, Totals},
    locked::Effects,
};
use crate::{
    breaker::clock::ClockSource,
    circuit::{
        Admission, Booking, Circuit, Grant, Moment, Outcome, Refusal, RejectReason, Standing, State,
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
    pub(super) gate: AtomicU64,
    /// Until when the gate or the leases hold, by the kind of gate: the end of the leases, of the
    /// open time, of the half-open round.
    pub(super) until: AtomicU64,
    /// From how many ticks on a call is slow, and a dropped call a failure.
    pub(super) slow_after: AtomicU64,
    pub(super) clock: ClockSource,
    pub(super) lanes: Lanes,
    /// Made when calls in flight are first to be tracked.
    pub(super) in_flight: OnceLock<Box<InFlight>>,
    pub(super) ledger: Mutex<Ledger>,
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
            ledger: Mutex::new(Ledger {
                circuit,
                totals: Totals::default(),
                measured: false,
                boot_ahead: None,
            }),
        };
        live.configured(&mut lock(&live.ledger));
        // Puts the circuit in force as it is.
        live.read(live.lanes.get(0), |_, _| {});
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
    pub(crate) fn ask_closely(&self, lane: &Lane, on: impl FnOnce(Effects<'_>)) -> Asked {
        let mut gate = self.gate();
        let admission = self.with_totals(self.clock.ticks(), lane, on, |ledger, now, out| {
            let now = ledger.awake(now, &self.clock);
            let admission = ledger.circuit.admit(now, out);
            gate = self.gate_of(ledger);
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

    /// Begins a round under a coordinator's leave, as [`Circuit::grant`] does.
    pub(crate) fn grant(
        &self,
        lane: &Lane,
        on: impl FnOnce(Effects<'_>),
        grant: impl FnOnce(Moment) -> Grant,
    ) -> bool {
        self.with_totals(self.clock.ticks(), lane, on, |ledger, now, out| {
            let begun = ledger.circuit.grant(grant(now), now, out);
            if begun {
                ledger.boot_ahead = Some(self.clock.boot().since(now));
            }
            begun
        })
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
        let read = gate.is_timed() || gate.is_clocked();
        let now = if read { self.clock.ticks() } else { 0 };
        self.succeed_at(lane, gate, start, now)
    }

    /// As [`succeed`](Self::succeed), with the ticks at which the call ended.
    #[inline(always)]
    pub(crate) fn succeed_at(&self, lane: &Lane, gate: GateWord, start: u64, now: u64) -> bool {
        if gate.is_timed() && now.saturating_sub(start) >= self.slow_after.load(Ordering::Relaxed) {
            return false;
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
        on: impl FnOnce(Effects<'_>),
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

    pub(crate) fn admitted(&self) -> u64 {
        self.lanes.sum(Lane::admitted)
    }

    pub(crate) fn rejected(&self) -> u64 {
        self.lanes.sum(Lane::rejected)
    }
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

/// The generation of a permit as the circuit counts it. The gate has its lower 56 bits.
fn whole_generation(circuit: &Circuit, gate: GateWord) -> u64 {
    let current = circuit.generation();
    if gate.is_generation(current) { current } else { current.wrapping_sub(1) }
}
