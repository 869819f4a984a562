//! The state of a circuit and the steps between its states.

use std::{sync::Arc, time::Duration};

use super::{
    backoff,
    moment::Moment,
    probes::Probes,
    reason::{Reason, TripReason},
    settings::Settings,
    state::{Gate, Override, State},
    transition::{Origin, Transition, Transitions, Version},
    window::{Counts, Window},
};

/// A circuit breaker without a clock, a lock or a caller: see the [module docs](super).
///
/// Every operation takes `now`, handles what the time brought by itself first, and appends the
/// state changes it made to a [`Transitions`]. A `now` that is earlier than one seen before books
/// results where the window stands, and admits nothing early.
#[derive(Clone, Debug)]
pub struct Circuit {
    pub(super) settings: Arc<Settings>,
    pub(super) phase: Phase,
    pub(super) override_: Option<Override>,
    pub(super) gate: Gate,
    /// The coordinator was asked for a grant and has not answered.
    pub(super) grant_requested: bool,
    /// The state that was adopted last, and its version.
    pub(super) shared: Option<(Version, State)>,
    pub(super) version: Version,
    pub(super) generation: u64,
    /// Failures since the last success.
    pub(super) run: u32,
    /// Calls in flight of this generation that are already slow.
    pub(super) overdue: u32,
    /// Recoveries that failed in a row.
    pub(super) reopens: u32,
    /// Until when a server asked to be left alone in this generation; the origin for never.
    pub(super) retry_until: Moment,
    /// The result that is being judged asked to be left alone.
    pub(super) asked_now: bool,
    pub(super) trip: Option<TripReason>,
    pub(super) window: Option<Box<Window>>,
    pub(super) random: fastrand::Rng,
}

/// The state under the override.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Closed,
    Open {
        since: Moment,
        until: Moment,
        /// What the window, or the failed round, held when the circuit opened.
        counts: Counts,
    },
    HalfOpen(Probes),
}

impl Circuit {
    /// A closed circuit. Equal seeds draw equal jitter.
    #[must_use]
    pub fn new(settings: Arc<Settings>, seed: u64) -> Self {
        Self {
            window: Window::new(&settings),
            settings,
            phase: Phase::Closed,
            override_: None,
            gate: Gate::Local,
            grant_requested: false,
            shared: None,
            version: Version::default(),
            generation: 1,
            run: 0,
            overdue: 0,
            reopens: 0,
            retry_until: Moment::ZERO,
            asked_now: false,
            trip: None,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Starts at another generation, for circuits that continue a history.
    #[must_use]
    pub fn with_generation(mut self, generation: u64) -> Self {
        self.generation = generation;
        self
    }

    /// The state that is in force. Reading it changes nothing: an open circuit whose time is over
    /// stays open until a call asks.
    #[must_use]
    pub fn state(&self) -> State {
        match self.override_ {
            Some(over) => over.into(),
            None => self.phase.state(),
        }
    }

    /// The generation that calls are admitted under now.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The version of the state.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Who lets probes through.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// Sets who lets probes through. Changes no state.
    pub fn set_gate(&mut self, gate: Gate) {
        self.gate = gate;
        self.grant_requested = false;
    }

    /// What the window holds as of the last operation. While the circuit is open it is what tripped
    /// it, in half-open the finished probes. Empty where no rate is set.
    #[must_use]
    pub fn counts(&self) -> Counts {
        match (&self.phase, &self.window) {
            (Phase::Open { counts, .. }, _) => *counts,
            (Phase::HalfOpen(probes), _) => probes.counts(),
            (Phase::Closed, Some(window)) => window.counts(),
            (Phase::Closed, None) => Counts::default(),
        }
    }

    /// As [`counts`](Self::counts), with what is too old at `now` let go.
    pub fn counts_at(&mut self, now: Moment) -> Counts {
        if let (Phase::Closed, Some(window)) = (&self.phase, &mut self.window) {
            window.roll(now);
        }
        self.counts()
    }

    /// Failures since the last success.
    #[must_use]
    pub fn consecutive_failures(&self) -> u32 {
        self.run
    }

    /// Calls in flight that count as slow already.
    #[must_use]
    pub fn slow_calls_in_flight(&self) -> u32 {
        self.overdue
    }

    /// Recoveries that failed in a row.
    #[must_use]
    pub fn reopens(&self) -> u32 {
        self.reopens
    }

    /// What opened the circuit, until it closes.
    #[must_use]
    pub fn trip_reason(&self) -> Option<TripReason> {
        self.trip
    }

    /// From when to when the circuit is open, without an override.
    #[must_use]
    pub fn open_period(&self) -> Option<(Moment, Moment)> {
        match (self.override_, &self.phase) {
            (None, Phase::Open { since, until, .. }) => Some((*since, *until)),
            _ => None,
        }
    }

    /// When the circuit changes without being asked: the end of a half-open round. Where a
    /// coordinator grants rounds, it ends those of other processes too.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Moment> {
        match (self.override_, &self.phase) {
            (None, Phase::HalfOpen(probes)) => self.round_end(probes),
            _ => None,
        }
    }

    pub(super) fn round_end(&self, probes: &Probes) -> Option<Moment> {
        let coordinated = probes.permitted == 0 && self.gate == Gate::Granted;
        if coordinated { None } else { probes.deadline(&self.settings) }
    }

    /// Ends a half-open round that is over, as of its deadline.
    pub fn handle_deadline(&mut self, now: Moment, out: &mut Transitions) {
        let Some(deadline) = self.poll_deadline().filter(|&deadline| deadline <= now) else {
            return;
        };
        let Phase::HalfOpen(probes) = &self.phase else { return };
        let (finished, permitted) = (probes.finished(), probes.permitted);
        let max_wait = deadline.since(probes.entered);
        let expired = TripReason::HalfOpenExpired { finished, permitted, max_wait };
        if probes.is_untried() {
            // No recovery has failed: the next call that asks is a probe.
            let counts = probes.counts();
            let phase = Phase::Open { since: deadline, until: deadline, counts };
            self.step(phase, Reason::Tripped(expired), Origin::Circuit, deadline, out);
        } else {
            self.open(expired, deadline, self.reopens.saturating_add(1), out);
        }
    }

    // ===== steps between states =====

    /// Opens as of `since`: for what the server says if the result that opens says it, however short
    /// that is; else for the backoff, and no shorter than a server said before.
    pub(super) fn open(
        &mut self,
        trip: TripReason,
        since: Moment,
        reopens: u32,
        out: &mut Transitions,
    ) {
        let asked = self.retry_until.since(since);
        let backoff = backoff::open_time(&self.settings, reopens, self.random.f64());
        let open_for = if self.asked_now { asked } else { asked.max(backoff) };
        let counts = self.counts();
        self.reopens = reopens;
        self.trip = Some(trip);
        let phase = Phase::Open { since, until: since + open_for, counts };
        self.step(phase, Reason::Tripped(trip), Origin::Circuit, since, out);
    }

    pub(super) fn half_open(&mut self, probes: Probes, reason: Reason, out: &mut Transitions) {
        let at = probes.entered;
        self.step(Phase::HalfOpen(probes), reason, Origin::Circuit, at, out);
    }

    pub(super) fn close(&mut self, reason: Reason, by: Origin, now: Moment, out: &mut Transitions) {
        self.reopens = 0;
        self.trip = None;
        self.step(Phase::Closed, reason, by, now, out);
    }

    /// Enters a phase and begins a generation: all that was counted belongs to the one before.
    pub(super) fn step(
        &mut self,
        phase: Phase,
        reason: Reason,
        by: Origin,
        at: Moment,
        out: &mut Transitions,
    ) {
        let from = self.state();
        self.phase = phase;
        self.version = self.version.next();
        self.begin_generation();
        self.report(from, reason, by, at, out);
    }

    pub(super) fn begin_generation(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.grant_requested = false;
        self.run = 0;
        self.overdue = 0;
        self.retry_until = Moment::ZERO;
        if let Some(window) = &mut self.window {
            window.clear();
        }
    }

    pub(super) fn report(
        &self,
        from: State,
        reason: Reason,
        by: Origin,
        at: Moment,
        out: &mut Transitions,
    ) {
        out.push(Transition {
            from,
            to: self.state(),
            generation: self.generation,
            version: self.version,
            reason,
            at,
            open_for: self.open_for(),
            reopens: self.reopens,
            by,
        });
    }

    fn open_for(&self) -> Option<Duration> {
        self.open_period().map(|(since, until)| until.since(since))
    }
}

impl Phase {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::Open { .. } => State::Open,
            Self::HalfOpen(_) => State::HalfOpen,
        }
    }
}
