//! The handle that people hold.

use std::{sync::Arc, time::Duration};

use super::{
    BreakerBuilder, Changes, Events, Handle, Latencies, Permit, Rejected, ServiceName, Snapshot,
    core::Read, near::thread_lane,
};
use crate::circuit::{
    Adoption, Gate, Grant, Moment, Override, Settings, State, TripReason, Underlying, Version,
};

/// A circuit breaker. Cheap to clone; all clones are one circuit.
///
/// See the [module docs](super) for how to use it without a tower stack, and
/// [`CircuitBreakerLayer`](crate::CircuitBreakerLayer) for one.
#[derive(Clone, Debug)]
pub struct Breaker {
    /// A handle of the lane that was nearest when the breaker was made.
    handle: Arc<Handle>,
    /// Keeps the handles of all lanes of a named breaker alive.
    lanes: Option<Arc<[Arc<Handle>]>>,
}

impl Breaker {
    /// Builds a breaker for a service. The name is checked when it is built.
    pub fn builder(service: impl AsRef<str>) -> BreakerBuilder {
        BreakerBuilder::new(service)
    }

    pub(super) fn kept(lanes: Arc<[Arc<Handle>]>) -> Self {
        Self { handle: lanes[0].near(), lanes: Some(lanes) }
    }

    /// A breaker that keeps no lanes alive: a keyed one, or one in passing.
    pub(crate) fn of(handle: Arc<Handle>) -> Self {
        Self { handle, lanes: None }
    }

    pub(crate) fn into_handle(self) -> Arc<Handle> {
        self.handle
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// The handle of the running thread's lane.
    #[inline(always)]
    pub(crate) fn near(&self) -> &Arc<Handle> {
        let lanes = self.lanes.as_deref().unwrap_or_default();
        lanes.get(thread_lane()).unwrap_or(&self.handle)
    }

    // ===== calls =====

    /// Asks for a call: a permit, which has to be given the outcome, or the rejection. Does not
    /// wait.
    ///
    /// # Errors
    ///
    /// Says why the call may not go ahead, and when to ask again where a clock can tell.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit, Rejected> {
        let handle = self.near();
        match handle.ask() {
            Some(gate) => Ok(Permit::begun(Arc::clone(handle), gate)),
            None => handle.acquire_closely(true),
        }
    }

    /// As [`try_acquire`](Self::try_acquire), for an owner that says when the call goes on.
    #[inline(always)]
    pub(super) fn immediate(&self) -> Result<Permit, Rejected> {
        let handle = self.near();
        handle.acquire()
    }

    // ===== looking =====

    /// What the breaker protects.
    #[must_use]
    pub fn service(&self) -> &ServiceName {
        self.handle.service()
    }

    /// The state in force. Reading it changes nothing.
    #[must_use]
    pub fn state(&self) -> State {
        self.handle.read(|circuit, _| circuit.state())
    }

    /// The override in force.
    #[must_use]
    pub fn override_in_force(&self) -> Option<Override> {
        self.handle.read(|circuit, _| circuit.override_in_force())
    }

    /// Calls admitted since the breaker was made: the ordinal that the records of failures carry.
    /// It never falls.
    #[must_use]
    pub fn admitted(&self) -> u64 {
        self.handle.circuit().admitted()
    }

    /// Calls rejected since the breaker was made, whoever is told of them. It never falls.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.handle.circuit().rejected()
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.handle.read(|circuit, _| Arc::clone(circuit.settings()))
    }

    /// The breaker at this instant. Reading it changes nothing.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let handle = &*self.handle;
        handle.read(|circuit, Read { now, totals, slow_in_flight }| {
            let counts = circuit.counts_at(now);
            Snapshot {
                service: handle.service().clone(),
                state: circuit.state(),
                generation: circuit.generation(),
                version: circuit.version(),
                counts,
                failure_rate: counts.failure_rate(),
                slow_call_rate: counts.slow_call_rate(),
                consecutive_failures: circuit.consecutive_failures(),
                slow_calls_in_flight: slow_in_flight,
                trip_reason: circuit.trip_reason(),
                remaining: circuit.open_period().map(|(_, until)| until.since(now)),
                reopens: circuit.reopens(),
                admitted: handle.circuit().admitted(),
                rejected: handle.circuit().rejected(),
                succeeded: totals.successes,
                failed: totals.failures,
                slow: totals.slow_calls,
                ignored: totals.ignored,
                late: totals.late,
            }
        })
    }

    /// The events from now on. Of a keyed breaker: those of all breakers of its map.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.handle.hub().subscribe()
    }

    // ===== how long calls take =====

    /// Records from now on how long calls take, for
    /// [`drain_latencies`](Self::drain_latencies). Does nothing if it does already, and for keyed
    /// breakers, since it takes 5 KB for each lane of threads, of which there are 4 to 16.
    ///
    /// Every call reads the clock when it begins and when it ends, as it does where slow calls are
    /// detected, and which calls are slow stays what the settings say.
    pub fn keep_latencies(&self) {
        self.handle.keep_latencies();
    }

    /// Takes how long the calls took that have ended since this was last called: all that had a
    /// result, success or failure, in time or late. Not those that were ignored or given up, and
    /// none while the circuit is disabled. What takes longer than about two hours is in the last
    /// bucket.
    ///
    /// A call that ends meanwhile is in this drain or in the next, never in both. Empty unless
    /// latencies are [kept](Self::keep_latencies).
    #[must_use = "what was drained is not kept"]
    pub fn drain_latencies(&self) -> Latencies {
        self.handle.drain_latencies()
    }

    // ===== what people do =====

    /// Rejects every call until the override is lifted.
    pub fn force_open(&self) {
        self.set_override(Override::ForcedOpen);
    }

    /// Admits every call and records nothing until the override is lifted.
    pub fn disable(&self) {
        self.set_override(Override::Disabled);
    }

    /// Admits every call and computes the rates, but never rejects, until the override is lifted.
    pub fn metrics_only(&self) {
        self.set_override(Override::MetricsOnly);
    }

    /// Sets an override. It begins with an empty window.
    pub fn set_override(&self, over: Override) {
        self.handle.with(|circuit, now, out| circuit.set_override(over, now, out));
    }

    /// Lifts the override: the circuit is closed with an empty window. Does nothing without one.
    pub fn lift_override(&self) {
        self.handle.with(|circuit, now, out| circuit.lift_override(now, out));
    }

    /// Clears window, counters and backoff and closes the circuit, whatever its state. An override
    /// stays in force.
    pub fn reset(&self) {
        self.handle.with(|circuit, now, out| circuit.reset(now, out));
    }

    /// Puts new settings in force without losing the window: see
    /// [`Circuit::configure`](crate::circuit::Circuit::configure).
    pub fn configure(&self, settings: impl Into<Arc<Settings>>) {
        self.put_in_force(settings.into(), false);
    }

    /// The same with live settings that a registry shares.
    pub(crate) fn configure_shared(&self, settings: Settings) {
        self.put_in_force(settings.into(), true);
    }

    fn put_in_force(&self, settings: Arc<Settings>, shared: bool) {
        self.handle.configure(shared, |circuit, now, _| circuit.configure(settings, now));
    }

    // ===== time =====

    /// How long until the breaker changes without being asked, if it may: a half-open round ends,
    /// or a call in flight becomes slow. Zero once that is due.
    ///
    /// Calls that come along notice both; a breaker without traffic moves when
    /// [`handle_deadline`](Self::handle_deadline) is called.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Duration> {
        let now = self.now();
        self.handle.circuit().next_deadline().map(|deadline| deadline.since(now))
    }

    /// Does what is due by now.
    pub fn handle_deadline(&self) {
        self.handle.look();
    }

    /// How long ago `at` was on the clock of the breaker, that of the [`Transition`] it is from;
    /// zero if it is yet to come.
    ///
    /// [`Transition`]: crate::circuit::Transition::at
    #[must_use]
    pub fn since(&self, at: Moment) -> Duration {
        self.now().since(at)
    }

    fn now(&self) -> Moment {
        self.handle.circuit().clock().moment(self.handle.ticks())
    }

    // ===== coordination =====

    /// Sets who lets probes through. With [`Gate::Granted`] the breaker keeps its [`Changes`] from
    /// then on; a keyed breaker keeps none, so whoever grants its probes has to look at its state.
    pub fn set_gate(&self, gate: Gate) {
        if gate == Gate::Granted {
            self.keep_changes();
        }
        self.handle.with(|circuit, _, _| circuit.set_gate(gate));
    }

    /// Takes over what another process decided: see
    /// [`Circuit::adopt`](crate::circuit::Circuit::adopt).
    pub fn adopt(&self, adoption: Adoption) {
        let changed = self.handle.with(|circuit, now, out| circuit.adopt(adoption, now, out));
        if changed {
            self.handle.wake();
        }
    }

    /// Notes that what is shared is now `state` at `version`, as this breaker proposed it: see
    /// [`Circuit::committed`](crate::circuit::Circuit::committed). Changes no state.
    pub fn committed(&self, state: State, version: Version) {
        self.handle.with(|circuit, _, _| circuit.committed(state, version));
    }

    /// Takes over an override that was set, or with `None` lifted, in another process: see
    /// [`Circuit::adopt_override`](crate::circuit::Circuit::adopt_override). Returns whether it was
    /// another than the one in force.
    pub fn adopt_override(&self, over: Option<Override>) -> bool {
        self.handle.with(|circuit, now, out| circuit.adopt_override(over, now, out))
    }

    /// The state under the override, as a coordinator writes it to a shared store. Reading it
    /// changes nothing.
    #[must_use]
    pub fn underlying(&self) -> Underlying {
        self.handle.read(|circuit, Read { now, .. }| circuit.underlying(now))
    }

    /// Takes up a recorded state at start-up: see
    /// [`Circuit::restore`](crate::circuit::Circuit::restore).
    pub fn restore(&self, adoption: Adoption) {
        self.handle.with(|circuit, now, out| circuit.restore(adoption, now, out));
        self.handle.wake();
    }

    /// Begins a half-open round of `budget` probes, which are admitted for `lasting` from now on, the
    /// time included that the machine is suspended.
    /// Returns whether the circuit waited for one: see
    /// [`Circuit::grant`](crate::circuit::Circuit::grant).
    pub fn grant(&self, token: u64, budget: u32, lasting: Duration) -> bool {
        self.handle.grant(|now| Grant { token, budget, deadline: now + lasting })
    }

    /// Admits the probes of a round under a grant for `lasting` from now on, if that is longer than
    /// they would be. Returns whether there is such a round: see
    /// [`Circuit::extend_grant`](crate::circuit::Circuit::extend_grant).
    pub fn extend_grant(&self, lasting: Duration) -> bool {
        self.handle.with(|circuit, now, _| circuit.extend_grant(now + lasting))
    }

    /// Whether the half-open round is this breaker's own, not another process's.
    #[must_use]
    pub fn is_probing(&self) -> bool {
        self.handle.read(|circuit, _| circuit.is_probing())
    }

    /// Opens the breaker, if it is closed, for what its fleet has seen together. Returns whether it
    /// was.
    pub fn trip(&self, reason: TripReason) -> bool {
        self.handle.with(|circuit, now, out| circuit.trip(reason, now, out))
    }

    /// Who lets probes through.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.handle.read(|circuit, _| circuit.gate())
    }

    /// Answers a request for a grant with no.
    pub fn decline_grant(&self) {
        self.handle.with(|circuit, _, _| circuit.decline_grant());
    }

    /// Keeps changes for a coordinator from now on. Keyed breakers keep none.
    pub fn keep_changes(&self) {
        if let Some(changes) = self.handle.changes() {
            changes.keep();
        }
    }

    /// Whether there are changes to take: one load.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.handle.changes().is_some_and(|changes| changes.is_dirty())
    }

    /// Takes the changes since they were last taken.
    #[must_use]
    pub fn take_changes(&self) -> Changes {
        self.handle.changes().map(|changes| changes.take()).unwrap_or_default()
    }
}
