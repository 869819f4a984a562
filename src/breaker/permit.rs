//! One admitted call.

use std::{mem, sync::Arc, time::Duration};

#[cfg(feature = "http")]
use super::AnsweredCall;
use super::{
    Cause, Handle, ServiceName,
    core::{GateWord, UNREAD},
};
use crate::circuit::{Circuit, Moment, Outcome, Transitions};

/// One admitted call, which ends when the permit is consumed or dropped.
///
/// A permit that is dropped without a result is a call that was given up: it is ignored, and a
/// probe's place is free again; but if it had lived for `slow_call_duration_threshold` it counts as
/// a failure. Its result decides nothing if the circuit has changed its state meanwhile.
#[derive(Debug)]
#[must_use = "dropping a permit gives the call up"]
pub struct Permit {
    /// None once the permit was consumed.
    handle: Option<Arc<Handle>>,
    gate: GateWord,
    /// When the call started, in ticks, or that nobody had to know yet.
    start: u64,
    /// How the call is known among those in flight, zero if it is not.
    tag: u32,
}

impl Permit {
    /// A permit whose start is read only where the gate has to know it. Its owner calls
    /// [`goes_on`](Self::goes_on) when the call does not end at once.
    #[inline(always)]
    pub(crate) fn immediate(handle: Arc<Handle>, gate: GateWord) -> Self {
        let start = handle.start(gate);
        Self { handle: Some(handle), gate, start, tag: 0 }
    }

    /// A permit of a call that goes on from now.
    #[inline(always)]
    pub(crate) fn begun(handle: Arc<Handle>, gate: GateWord) -> Self {
        let start = handle.ticks();
        let mut permit = Self { handle: Some(handle), gate, start, tag: 0 };
        if gate.is_tracked() {
            permit.goes_on();
        }
        permit
    }

    /// The call did not end at once: notes its start, and that it is in flight.
    #[inline(always)]
    pub(crate) fn goes_on(&mut self) {
        let Some(handle) = &self.handle else { return };
        if self.start == UNREAD {
            self.start = handle.ticks();
        }
        if self.gate.is_tracked() && self.tag == 0 {
            self.tag = handle.track(self.gate, self.start);
        }
    }

    /// The permit stands for no call, so that its time means nothing.
    pub(crate) fn unmeasured(mut self) -> Self {
        self.gate = self.gate.unmeasured();
        self
    }

    /// Whether the circuit is still of the generation that admitted the call, and a probe's round
    /// not over.
    pub(crate) fn is_current(&self) -> bool {
        self.handle.as_ref().is_some_and(|handle| {
            let circuit = handle.circuit();
            let gate = circuit.gate();
            gate.generation() == self.gate.generation()
                && (gate.admits() || circuit.time_left() != Some(Duration::ZERO))
        })
    }

    /// The call will be made later, or never. Ended by [`begins`](Self::begins) or by
    /// [`given_back`](Self::given_back).
    pub(crate) fn reserved(self) -> Self {
        self.with_probe(|circuit, _, _| circuit.reserve());
        self
    }

    /// The call of a reserved permit is made now.
    pub(crate) fn begins(mut self) -> Self {
        self.with_probe(|circuit, _, _| circuit.begin_reserved());
        if let Some(handle) = &self.handle {
            self.start = handle.start(self.gate);
        }
        self
    }

    /// The call of a reserved permit is not made, and decides nothing.
    pub(crate) fn given_back(mut self) {
        self.with_probe(|circuit, now, out| circuit.return_reserved(now, out));
        self.handle = None;
    }

    /// Does something to the circuit, if this is a probe of its round.
    fn with_probe(&self, op: impl FnOnce(&mut Circuit, Moment, &mut Transitions)) {
        let Some(handle) = self.handle.as_ref().filter(|_| !self.gate.admits()) else { return };
        handle.with(|circuit, now, out| {
            if self.gate.is_generation(circuit.generation()) {
                op(circuit, now, out);
            }
        });
    }

    /// The generation that the call was admitted under.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.gate.generation()
    }

    /// What the breaker protects.
    #[must_use]
    pub fn service(&self) -> &ServiceName {
        let handle = self.handle.as_ref();
        handle.expect("a permit that somebody holds has not been consumed").service()
    }

    pub(crate) fn handle(&self) -> Option<&Handle> {
        self.handle.as_deref()
    }

    /// The answer has begun and goes on, as a body that streams.
    #[cfg(feature = "http")]
    pub(crate) fn answered(mut self) -> Option<AnsweredCall> {
        let handle = self.handle.take()?;
        Some(AnsweredCall::new(handle, self.gate, self.start, self.tag))
    }

    /// Ends the call with an outcome.
    #[inline(always)]
    pub fn record(mut self, outcome: Outcome) {
        let (handle, gate, start, tag) = (self.handle.take(), self.gate, self.start, self.tag);
        // Nothing is left to drop. Forgotten, the permit never has to have an address.
        mem::forget(self);
        if let Some(handle) = handle {
            handle.finish(gate, start, tag, outcome);
        }
    }

    /// As [`record`](Self::record); `describe` says what the call failed with.
    ///
    /// It is asked only if the outcome is a failure that somebody is told of, by an observer, a
    /// subscriber or a journal, and runs outside every lock. If it panics, nothing is said.
    ///
    /// ```
    /// # use tower_breaker::{Breaker, Outcome, breaker::Cause};
    /// # let breaker = Breaker::builder("inventory").build()?;
    /// # let answer: Result<u32, std::io::Error> = Ok(1);
    /// let permit = breaker.try_acquire()?;
    /// match &answer {
    ///     Ok(_) => permit.success(),
    ///     Err(error) => permit.record_with(Outcome::FAILURE, || Some(Cause::of(error))),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn record_with(self, outcome: Outcome, describe: impl FnOnce() -> Option<Cause>) {
        if outcome.is_plain_success() {
            self.record(outcome);
        } else {
            self.record_described(outcome, describe);
        }
    }

    #[cold]
    fn record_described(mut self, outcome: Outcome, describe: impl FnOnce() -> Option<Cause>) {
        let (gate, start, tag) = (self.gate, self.start, self.tag);
        if let Some(handle) = self.handle.take() {
            let mut describe = Some(describe);
            let mut ask = || describe.take().and_then(|describe| describe());
            handle.finish_described(gate, start, tag, outcome, &mut ask);
        }
    }

    /// Moves the permit out, field by field: reading back in one piece what was written in several
    /// stalls the processor for longer than the rest of a call takes.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Self {
        Self { handle: self.handle.take(), gate: self.gate, start: self.start, tag: self.tag }
    }

    /// Ends the call as [`Outcome::SUCCESS`].
    #[inline(always)]
    pub fn success(self) {
        self.record(Outcome::SUCCESS);
    }

    /// Ends the call as [`Outcome::FAILURE`].
    #[cold]
    pub fn failure(self) {
        self.record(Outcome::FAILURE);
    }
}

impl Drop for Permit {
    #[inline(always)]
    fn drop(&mut self) {
        let Self { gate, start, tag, .. } = *self;
        if let Some(handle) = self.handle.take() {
            give_up(handle, gate, start, tag);
        }
    }
}

/// Given the parts of the permit by value, so that the permit never has to have an address.
#[cold]
fn give_up(handle: Arc<Handle>, gate: GateWord, start: u64, tag: u32) {
    handle.give_up(gate, start, tag);
}
