//! What a circuit is, and how it goes from one state to another.

use super::{
    OracleSettings, OracleState,
    window::{Booked, Counts},
};

#[derive(Debug, Clone)]
pub(super) enum Phase {
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
    pub(super) settings: OracleSettings,
    pub(super) granted: bool,
    pub(super) phase: Phase,
    pub(super) generation: u64,
    /// Every result of this generation, in the order of booking.
    pub(super) window: Vec<Booked>,
    pub(super) exact: bool,
    pub(super) run: u32,
    pub(super) reopens: u32,
    /// When the latest Retry-After of this generation ends.
    pub(super) retry_end: Option<u64>,
    /// The result that is being booked carries a Retry-After.
    pub(super) asked_now: bool,
    pub(super) in_flight_slow: u32,
    pub(super) wanted: bool,
    /// What was adopted last.
    pub(super) shared: Option<(OracleState, (u64, u64))>,
    pub(super) transitions: Vec<(OracleState, OracleState)>,
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

    /// Starts a new generation.
    pub(super) fn enter(&mut self, phase: Phase) {
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

    pub(super) fn enter_half_open(
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
    pub(super) fn set_override(&mut self, phase: Phase) {
        self.reopens = 0;
        self.enter(phase);
    }
}
