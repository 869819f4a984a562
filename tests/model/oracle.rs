//! A naive circuit breaker, written from the documentation and not from the code.
//!
//! It keeps every booked result of the current generation in a plain list and counts that list
//! again for each judgement. Nothing is cached, nothing is incremental: what it loses in speed it
//! gains in being easy to hold against the text. Times and durations are nanoseconds; the open
//! time has no jitter.
//!
//! # What a model test may compare
//!
//! - Generations: only whether they changed. Here they start at 1 and grow by one at each state
//!   change, reset and override set.
//! - Counts: only where [`Oracle::window_is_exact`] and [`Oracle::counts_are_decided`] hold. While
//!   the window is not exact, verdicts that rest on a rate may differ as well.
//! - The failures in a row: in closed and metrics-only. Elsewhere the documentation is silent.
//! - The order of calls is the caller's: a result must come from an admission that
//!   [`Oracle::admit`] answered with `Ok`.

#![allow(dead_code, reason = "a test may not need every question")]
#![allow(unreachable_pub, reason = "a module of a test, written like a library")]

/// The settings of one circuit, durations in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleSettings {
    /// Failures in a row that open the circuit.
    pub failure_threshold: Option<u32>,
    /// The share of failures in the window that opens the circuit.
    pub failure_rate_threshold: Option<f64>,
    /// The share of slow calls in the window that opens the circuit.
    pub slow_call_rate_threshold: Option<f64>,
    /// A call that took this long is slow.
    pub slow_call_duration_threshold: u64,
    /// Whether calls in flight that are already slow count for the slow-call rate.
    pub slow_calls_in_flight: bool,
    /// What the rates are taken over.
    pub window: OracleWindow,
    /// Calls below which no rate is judged.
    pub minimum_number_of_calls: u32,
    /// The open time before any failed recovery.
    pub recovery_timeout: u64,
    /// How the open time grows with each failed recovery in a row.
    pub recovery_timeout_multiplier: f64,
    /// The longest open time that growing leads to.
    pub max_recovery_timeout: u64,
    /// The longest Retry-After that is obeyed.
    pub max_retry_after: u64,
    /// Probes in a round.
    pub permitted_calls_in_half_open: u32,
    /// The share of the permitted probes that must succeed to close.
    pub success_rate_threshold: f64,
    /// How long a round may last.
    pub max_wait_in_half_open: Option<u64>,
}

/// What the rates are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OracleWindow {
    /// The last calls, this many.
    Count(u32),
    /// The last slices of time.
    Time {
        /// The length of all slices together.
        duration: u64,
        /// How many there are.
        slices: u64,
    },
}

/// The state of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OracleState {
    /// Admits and judges.
    Closed,
    /// Refuses until its time is over.
    Open,
    /// Admits the probes of one round.
    HalfOpen,
    /// Refuses until lifted.
    ForcedOpen,
    /// Admits and records nothing.
    Disabled,
    /// Admits and computes, never refuses.
    MetricsOnly,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OracleOutcome {
    /// It went well.
    Success,
    /// It failed.
    Failure,
    /// It failed for the rates and as a probe, not for the failures in a row.
    RateOnly,
    /// It says nothing about the service.
    Ignored,
}

const NS_PER_MS: u64 = 1_000_000;
const DAY: u64 = 24 * 3600 * 1000 * NS_PER_MS;

impl Default for OracleSettings {
    fn default() -> Self {
        Self {
            failure_threshold: Some(5),
            failure_rate_threshold: None,
            slow_call_rate_threshold: None,
            slow_call_duration_threshold: 10_000 * NS_PER_MS,
            slow_calls_in_flight: true,
            window: OracleWindow::Count(100),
            minimum_number_of_calls: 20,
            recovery_timeout: 60_000 * NS_PER_MS,
            recovery_timeout_multiplier: 2.0,
            max_recovery_timeout: 300_000 * NS_PER_MS,
            max_retry_after: 3_600_000 * NS_PER_MS,
            permitted_calls_in_half_open: 3,
            success_rate_threshold: 0.5,
            max_wait_in_half_open: Some(120_000 * NS_PER_MS),
        }
    }
}

impl OracleSettings {
    /// The fields that the bounds of the documentation refuse, each once.
    pub fn invalid_fields(&self) -> Vec<&'static str> {
        let rate = |x: f64| x > 0.0 && x <= 1.0;
        let mut bad = Vec::new();
        let mut check = |field, fine: bool| {
            if !fine && !bad.contains(&field) {
                bad.push(field);
            }
        };
        check(
            "failure_threshold",
            self.failure_threshold.is_some()
                || self.failure_rate_threshold.is_some()
                || self.slow_call_rate_threshold.is_some(),
        );
        check(
            "failure_threshold",
            self.failure_threshold.is_none_or(|n| (1..=1_000_000).contains(&n)),
        );
        check("failure_rate_threshold", self.failure_rate_threshold.is_none_or(rate));
        check("slow_call_rate_threshold", self.slow_call_rate_threshold.is_none_or(rate));
        check(
            "slow_call_duration_threshold",
            (NS_PER_MS..=DAY).contains(&self.slow_call_duration_threshold),
        );
        match self.window {
            OracleWindow::Count(calls) => {
                check("sliding_window", (1..=1_000_000).contains(&calls));
                check("minimum_number_of_calls", self.minimum_number_of_calls <= calls);
            }
            OracleWindow::Time { duration, slices } => check(
                "sliding_window",
                (NS_PER_MS..=DAY).contains(&duration)
                    && (1..=1000).contains(&slices)
                    && duration >= slices * NS_PER_MS,
            ),
        }
        check("minimum_number_of_calls", self.minimum_number_of_calls >= 1);
        check("recovery_timeout", (NS_PER_MS..=30 * DAY).contains(&self.recovery_timeout));
        check(
            "recovery_timeout_multiplier",
            (1.0..=100.0).contains(&self.recovery_timeout_multiplier),
        );
        check(
            "max_recovery_timeout",
            self.max_recovery_timeout >= self.recovery_timeout
                && self.max_recovery_timeout <= 30 * DAY,
        );
        check("max_retry_after", self.max_retry_after <= 30 * DAY);
        check(
            "permitted_calls_in_half_open",
            (1..=10_000).contains(&self.permitted_calls_in_half_open),
        );
        check("success_rate_threshold", rate(self.success_rate_threshold));
        bad
    }

    fn keeps_window(&self) -> bool {
        self.failure_rate_threshold.is_some() || self.slow_call_rate_threshold.is_some()
    }

    fn is_slow(&self, elapsed: u64) -> bool {
        self.slow_call_rate_threshold.is_some() && elapsed >= self.slow_call_duration_threshold
    }

    /// The open time after `reopens` recoveries failed in a row.
    fn backoff(&self, reopens: u32) -> u64 {
        let power = i32::try_from(reopens).unwrap_or(i32::MAX);
        let grown = self.recovery_timeout as f64 * self.recovery_timeout_multiplier.powi(power);
        if grown >= self.max_recovery_timeout as f64 {
            self.max_recovery_timeout
        } else {
            grown.round() as u64
        }
    }
}

/// One booked result.
#[derive(Debug, Clone, Copy)]
struct Booked {
    at: u64,
    failed: bool,
    slow: bool,
}

/// Calls, failures, slow calls.
type Counts = (u64, u64, u64);

#[derive(Debug, Clone)]
enum Phase {
    Closed,
    Open {
        end: u64,
        /// What tripped it; none if another process did.
        tripped: Option<Counts>,
    },
    HalfOpen {
        /// May lie before the beginning of time when it was adopted.
        entered: i128,
        /// The probes of the round.
        permitted: u64,
        /// Admitted and not returned.
        taken: u64,
        /// The probes that counted.
        finished: Vec<Booked>,
        /// The end of the lease, if one was granted.
        admits_before: Option<u64>,
        /// Another process has the probes.
        held_elsewhere: bool,
    },
    ForcedOpen,
    Disabled,
    MetricsOnly,
}

/// The naive circuit.
#[derive(Debug, Clone)]
pub struct Oracle {
    settings: OracleSettings,
    granted: bool,
    phase: Phase,
    generation: u64,
    /// Every result of this generation, in the order of booking.
    window: Vec<Booked>,
    exact: bool,
    run: u32,
    reopens: u32,
    /// When the latest Retry-After of this generation ends.
    retry_end: Option<u64>,
    /// The result that is being booked carries a Retry-After.
    asked_now: bool,
    in_flight_slow: u32,
    wanted: bool,
    /// What was adopted last.
    shared: Option<(OracleState, (u64, u64))>,
    transitions: Vec<(OracleState, OracleState)>,
}

impl Oracle {
    /// A closed circuit with an empty window, under `Gate::Local`.
    pub fn new(settings: OracleSettings) -> Self {
        Self {
            settings,
            granted: false,
            phase: Phase::Closed,
            generation: 1,
            window: Vec::new(),
            exact: true,
            run: 0,
            reopens: 0,
            retry_end: None,
            asked_now: false,
            in_flight_slow: 0,
            wanted: false,
            shared: None,
            transitions: Vec::new(),
        }
    }

    /// Chooses `Gate::Granted` or `Gate::Local`. A round that has begun stays as it is.
    pub fn set_granted(&mut self, granted: bool) {
        self.granted = granted;
        if !granted {
            self.wanted = false;
        }
    }

    // ===== Questions: none of them changes anything =====

    /// The state in force. An open circuit whose time is over is still open.
    pub fn state(&self) -> OracleState {
        match self.phase {
            Phase::Closed => OracleState::Closed,
            Phase::Open { .. } => OracleState::Open,
            Phase::HalfOpen { .. } => OracleState::HalfOpen,
            Phase::ForcedOpen => OracleState::ForcedOpen,
            Phase::Disabled => OracleState::Disabled,
            Phase::MetricsOnly => OracleState::MetricsOnly,
        }
    }

    /// The generation; compare only whether it changed.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Calls, failures and slow calls as a snapshot shows them: the window as of `now`, in open
    /// what tripped it, in half-open the finished probes of this round, otherwise nothing.
    pub fn counts(&self, now: u64) -> (u64, u64, u64) {
        match &self.phase {
            Phase::Closed | Phase::MetricsOnly => count(&self.visible(now)),
            Phase::Open { tripped, .. } => tripped.unwrap_or_default(),
            Phase::HalfOpen { finished, .. } => count(finished),
            Phase::ForcedOpen | Phase::Disabled => (0, 0, 0),
        }
    }

    /// Whether the documentation says what the counts are: not in an open that was adopted.
    pub fn counts_are_decided(&self) -> bool {
        !matches!(self.phase, Phase::Open { tripped: None, .. })
    }

    /// Whether the window was never carried into another kind or other slices since it was last
    /// empty. Where there was nothing to carry, it stays exact.
    pub fn window_is_exact(&self) -> bool {
        self.exact
    }

    /// The failures in a row. Open keeps the run that tripped it; half-open has none.
    pub fn consecutive_failures(&self) -> u32 {
        self.run
    }

    /// The recoveries that failed in a row.
    pub fn reopens(&self) -> u32 {
        self.reopens
    }

    /// When the open time ends; none unless open.
    pub fn open_end(&self) -> Option<u64> {
        match self.phase {
            Phase::Open { end, .. } => Some(end),
            _ => None,
        }
    }

    /// Whether a grant was asked for and not answered yet.
    pub fn grant_wanted(&self) -> bool {
        self.wanted
    }

    /// When [`handle_deadline`](Self::handle_deadline) has something to do: the end of the round.
    pub fn poll_deadline(&self) -> Option<u64> {
        let Phase::HalfOpen { entered, admits_before, held_elsewhere, .. } = self.phase else {
            return None;
        };
        if held_elsewhere && self.granted {
            // The coordinator ends it.
            return None;
        }
        // A granted round that nothing else ends is over when the whole lease is.
        let lease = admits_before.map(|end| 2 * (i128::from(end) - entered));
        let wait = self.settings.max_wait_in_half_open.or_else(|| u64::try_from(lease?).ok())?;
        let deadline = entered + i128::from(wait);
        Some(u64::try_from(deadline.max(0)).unwrap_or(u64::MAX))
    }

    /// Every state change so far, as (from, to).
    pub fn transitions(&self) -> &[(OracleState, OracleState)] {
        &self.transitions
    }

    // ===== Calls =====

    /// Asks for a call to be admitted: its generation, or when to retry if a clock can tell.
    pub fn admit(&mut self, now: u64) -> Result<u64, Option<u64>> {
        self.handle_deadline(now);
        if let Phase::Open { end, .. } = self.phase {
            if now < end {
                return Err(Some(end - now));
            }
            if self.granted {
                self.wanted = true;
                return Err(None);
            }
            let permitted = u64::from(self.settings.permitted_calls_in_half_open);
            self.enter_half_open(i128::from(now), permitted, None, false);
        }
        match &mut self.phase {
            Phase::Closed | Phase::Disabled | Phase::MetricsOnly => Ok(self.generation),
            Phase::HalfOpen { permitted, taken, admits_before, held_elsewhere, .. } => {
                let leased = admits_before.is_none_or(|end| now < end);
                if *held_elsewhere || !leased || *taken >= *permitted {
                    return Err(None);
                }
                *taken += 1;
                Ok(self.generation)
            }
            Phase::ForcedOpen => Err(None),
            Phase::Open { .. } => unreachable!("left above"),
        }
    }

    /// Books how an admitted call ended.
    pub fn record(
        &mut self,
        generation: u64,
        outcome: OracleOutcome,
        retry_after: Option<u64>,
        elapsed: u64,
        now: u64,
    ) {
        self.handle_deadline(now);
        if generation != self.generation {
            return;
        }
        self.asked_now = retry_after.is_some() && outcome != OracleOutcome::Ignored;
        self.end(outcome, retry_after, elapsed, now);
        self.asked_now = false;
    }

    fn end(&mut self, outcome: OracleOutcome, retry_after: Option<u64>, elapsed: u64, now: u64) {
        match self.phase {
            Phase::Closed | Phase::MetricsOnly => {
                if outcome == OracleOutcome::Ignored {
                    return;
                }
                self.remember_retry_after(retry_after, now);
                self.book(outcome, elapsed, now);
                self.judge(now);
            }
            Phase::HalfOpen { .. } => self.finish_probe(outcome, retry_after, elapsed, now),
            Phase::Open { .. } | Phase::ForcedOpen | Phase::Disabled => {}
        }
    }

    /// Books that an admitted call was dropped before it ended.
    pub fn cancel(&mut self, generation: u64, elapsed: u64, now: u64) {
        let outcome = if elapsed >= self.settings.slow_call_duration_threshold {
            OracleOutcome::Failure
        } else {
            OracleOutcome::Ignored
        };
        self.record(generation, outcome, None, elapsed, now);
    }

    /// Tells how many calls of this generation are in flight and already slow. It stays in force
    /// until told otherwise or until the next generation, and is judged at once.
    pub fn in_flight_slow(&mut self, count: u32, now: u64) {
        self.in_flight_slow = count;
        if self.settings.slow_calls_in_flight && self.settings.slow_call_rate_threshold.is_some() {
            self.judge(now);
        }
    }

    // ===== Time =====

    /// Ends a round that has lasted too long, as of its deadline.
    pub fn handle_deadline(&mut self, now: u64) {
        if let Some(deadline) = self.poll_deadline()
            && now >= deadline
        {
            self.reopen(deadline);
        }
    }

    // ===== Other processes =====

    /// Begins a round of `budget` probes that are admitted before `deadline`. It acts only on an
    /// open circuit whose time is over, under `Gate::Granted`.
    pub fn grant(&mut self, _token: u64, budget: u32, deadline: u64, now: u64) {
        let Phase::Open { end, .. } = self.phase else {
            return;
        };
        if self.granted && now >= end && budget > 0 {
            self.enter_half_open(i128::from(now), u64::from(budget), Some(deadline), false);
        }
    }

    /// A grant was renewed: its probes are admitted until a later deadline.
    pub fn extend_grant(&mut self, deadline: u64) {
        if let Phase::HalfOpen { admits_before: Some(end), .. } = &mut self.phase {
            *end = deadline.max(*end);
        }
    }

    /// Takes over what another process decided: closed, open or half-open. An adopted half-open
    /// is the other process's round and has no places here.
    ///
    /// # Panics
    ///
    /// If `state` is an override.
    pub fn adopt(
        &mut self,
        state: OracleState,
        elapsed: u64,
        open_for: u64,
        reopens: u32,
        version: (u64, u64),
        now: u64,
    ) {
        let strength = |state| match state {
            OracleState::Closed => 0,
            OracleState::HalfOpen => 1,
            OracleState::Open => 2,
            other => panic!("{other:?} is an override and not adopted"),
        };
        let shared_strength = strength(state);
        if self.shared.is_some_and(|(_, last)| version <= last) {
            return;
        }
        // A circuit that nobody has told of is closed.
        let known = self.shared.map_or(OracleState::Closed, |(last, _)| last);
        let unchanged = known == state;
        self.shared = Some((state, version));
        if self.is_overridden() {
            return;
        }

        let adopted_at = i128::from(now) - i128::from(elapsed);
        let adopted_end =
            u64::try_from((adopted_at + i128::from(open_for)).max(0)).unwrap_or(u64::MAX);
        let own_round = matches!(self.phase, Phase::HalfOpen { held_elsewhere: false, .. });
        if state == OracleState::HalfOpen && own_round {
            // The other process has the lease now.
            self.reopens = reopens;
            self.enter_half_open(adopted_at, 0, None, true);
            return;
        }
        if state == self.state() {
            if let Phase::Open { end, .. } = &mut self.phase
                && adopted_end > *end
            {
                *end = adopted_end;
                self.reopens = reopens;
            }
            return;
        }
        if unchanged && shared_strength <= strength(self.state()) {
            return;
        }
        match state {
            OracleState::Open => {
                self.reopens = reopens;
                self.enter(Phase::Open { end: adopted_end, tripped: None });
            }
            OracleState::HalfOpen => {
                self.reopens = reopens;
                self.enter_half_open(adopted_at, 0, None, true);
            }
            _ => {
                self.reopens = 0;
                self.enter(Phase::Closed);
            }
        }
    }

    // ===== People =====

    /// Refuses everything until lifted.
    pub fn force_open(&mut self, _now: u64) {
        self.set_override(Phase::ForcedOpen);
    }

    /// Admits everything and records nothing until lifted.
    pub fn disable(&mut self, _now: u64) {
        self.set_override(Phase::Disabled);
    }

    /// Admits everything and computes until lifted.
    pub fn metrics_only(&mut self, _now: u64) {
        self.set_override(Phase::MetricsOnly);
    }

    /// Leads from an override to closed with an empty window; without one it does nothing.
    pub fn lift_override(&mut self, _now: u64) {
        if self.is_overridden() {
            self.set_override(Phase::Closed);
        }
    }

    /// Clears window, counters and backoff, and closes unless there is an override.
    pub fn reset(&mut self, _now: u64) {
        let phase = if self.is_overridden() { self.phase.clone() } else { Phase::Closed };
        self.set_override(phase);
    }

    /// Changes the settings live: the generation stays and what the window holds is kept, to be
    /// judged at the next result. A round keeps its number of probes.
    pub fn configure(&mut self, settings: OracleSettings, now: u64) {
        let kept = self.visible(now);
        let old = self.settings.window;
        let new = settings.window;
        if settings.slow_call_rate_threshold.is_none()
            || settings.slow_call_duration_threshold != self.settings.slow_call_duration_threshold
        {
            // Calls in flight are forgotten until they are told anew.
            self.in_flight_slow = 0;
        }
        self.settings = settings;
        if !self.settings.keeps_window() {
            self.clear_window();
        } else if let (OracleWindow::Count(_), OracleWindow::Count(calls)) = (old, new) {
            // What had left the old window does not come back into a longer one.
            self.window = newest(&kept, calls);
        } else if !same_slices(old, new) && !self.window.is_empty() {
            self.window = kept;
            self.exact = false;
        }
    }

    // ===== The rules =====

    fn is_overridden(&self) -> bool {
        matches!(self.phase, Phase::ForcedOpen | Phase::Disabled | Phase::MetricsOnly)
    }

    /// The booked results that are inside the window as of `now`.
    fn visible(&self, now: u64) -> Vec<Booked> {
        match self.settings.window {
            OracleWindow::Count(calls) => newest(&self.window, calls),
            OracleWindow::Time { duration, slices } => {
                let width = duration / slices;
                let latest = self.window.iter().map(|booked| booked.at).max();
                let current = now.max(latest.unwrap_or(0)) / width;
                let inside = |booked: &&Booked| booked.at / width + slices > current;
                self.window.iter().filter(inside).copied().collect()
            }
        }
    }

    fn book(&mut self, outcome: OracleOutcome, elapsed: u64, now: u64) {
        match outcome {
            OracleOutcome::Success => self.run = 0,
            OracleOutcome::Failure => self.run = self.run.saturating_add(1),
            OracleOutcome::RateOnly | OracleOutcome::Ignored => {}
        }
        if self.settings.keeps_window() {
            // A clock that is behind books into the newest slice.
            let latest = self.window.iter().map(|booked| booked.at).max();
            self.window.push(Booked {
                at: now.max(latest.unwrap_or(0)),
                failed: outcome != OracleOutcome::Success,
                slow: self.settings.is_slow(elapsed),
            });
        }
    }

    fn remember_retry_after(&mut self, retry_after: Option<u64>, now: u64) {
        if let Some(wait) = retry_after {
            let end = now.saturating_add(wait.min(self.settings.max_retry_after));
            self.retry_end = Some(self.retry_end.map_or(end, |known| known.max(end)));
        }
    }

    fn judge(&mut self, now: u64) {
        if !matches!(self.phase, Phase::Closed) {
            return;
        }
        let settings = &self.settings;
        let minimum = u64::from(settings.minimum_number_of_calls);
        let (calls, failures, slow) = count(&self.visible(now));
        let overdue =
            if settings.slow_calls_in_flight { u64::from(self.in_flight_slow) } else { 0 };

        let too_many_in_a_row =
            settings.failure_threshold.is_some_and(|threshold| self.run >= threshold);
        let too_many_failures = settings
            .failure_rate_threshold
            .is_some_and(|rate| calls >= minimum && reaches(failures, calls, rate));
        let too_many_slow = settings.slow_call_rate_threshold.is_some_and(|rate| {
            calls + overdue >= minimum && reaches(slow + overdue, calls + overdue, rate)
        });
        if too_many_in_a_row || too_many_failures || too_many_slow {
            let run = self.run;
            self.open(now, 0, (calls, failures, slow));
            self.run = run;
        }
    }

    fn finish_probe(
        &mut self,
        outcome: OracleOutcome,
        retry_after: Option<u64>,
        elapsed: u64,
        now: u64,
    ) {
        let probe = Booked {
            at: now,
            failed: outcome != OracleOutcome::Success,
            slow: self.settings.is_slow(elapsed),
        };
        let Phase::HalfOpen { permitted, taken, finished, .. } = &mut self.phase else {
            return;
        };
        let done = finished.len() as u64;
        if done >= *taken {
            // Nobody is out there: a result without an admission.
            return;
        }
        if outcome == OracleOutcome::Ignored {
            *taken -= 1;
            return;
        }
        finished.push(probe);

        let permitted = *permitted;
        let (done, failed, slow) = count(finished);
        let succeeded = done - failed;
        let need = share_of(permitted, self.settings.success_rate_threshold);
        let slow_limit =
            self.settings.slow_call_rate_threshold.map(|rate| share_of(permitted, rate));
        self.remember_retry_after(retry_after, now);

        if failed > permitted - need || slow_limit.is_some_and(|limit| slow >= limit) {
            self.reopen(now);
        } else if succeeded >= need
            && slow_limit.is_none_or(|limit| slow + (permitted - done) < limit)
        {
            self.reopens = 0;
            self.enter(Phase::Closed);
        }
    }

    /// A failed recovery.
    fn reopen(&mut self, at: u64) {
        let probes = self.counts(at);
        self.open(at, self.reopens.saturating_add(1), probes);
    }

    fn open(&mut self, at: u64, reopens: u32, tripped: Counts) {
        let by_backoff = at.saturating_add(self.settings.backoff(reopens));
        // The server's word counts as it is where it came with the result that opens; an earlier one
        // only lengthens.
        let by_server =
            self.retry_end.filter(|end| *end > at && (self.asked_now || *end > by_backoff));
        self.reopens = reopens;
        self.enter(Phase::Open { end: by_server.unwrap_or(by_backoff), tripped: Some(tripped) });
    }

    fn enter_half_open(
        &mut self,
        entered: i128,
        permitted: u64,
        admits_before: Option<u64>,
        held_elsewhere: bool,
    ) {
        self.enter(Phase::HalfOpen {
            entered,
            permitted,
            taken: 0,
            finished: Vec::new(),
            admits_before,
            held_elsewhere,
        });
    }

    /// Sets or lifts an override, or resets: nothing of what was survives.
    fn set_override(&mut self, phase: Phase) {
        self.reopens = 0;
        self.enter(phase);
    }

    /// Starts a new generation.
    fn enter(&mut self, phase: Phase) {
        let from = self.state();
        self.phase = phase;
        if self.state() != from {
            self.transitions.push((from, self.state()));
        }
        self.generation += 1;
        self.clear_window();
        self.run = 0;
        self.retry_end = None;
        self.in_flight_slow = 0;
        self.wanted = false;
    }

    fn clear_window(&mut self) {
        self.window.clear();
        self.exact = true;
    }
}

fn count(results: &[Booked]) -> Counts {
    let failures = results.iter().filter(|booked| booked.failed).count();
    let slow = results.iter().filter(|booked| booked.slow).count();
    (results.len() as u64, failures as u64, slow as u64)
}

fn newest(results: &[Booked], calls: u32) -> Vec<Booked> {
    let skipped = results.len().saturating_sub(calls as usize);
    results[skipped..].to_vec()
}

/// Exactly at a rate is over it. The quotient is compared, because a product such as
/// 0.28 × 25 rounds to more than 7.
fn reaches(part: u64, whole: u64, rate: f64) -> bool {
    part as f64 / whole as f64 >= rate
}

/// The smallest number out of `whole` that reaches `rate`.
fn share_of(whole: u64, rate: f64) -> u64 {
    (0..whole).find(|part| reaches(*part, whole, rate)).unwrap_or(whole)
}

fn same_slices(old: OracleWindow, new: OracleWindow) -> bool {
    match (old, new) {
        (
            OracleWindow::Time { duration, slices },
            OracleWindow::Time { duration: new_duration, slices: new_slices },
        ) => slices == new_slices && duration / slices == new_duration / new_slices,
        _ => false,
    }
}
