//! The circuit itself: a pure state machine that is handed the time and returns what happened.
//!
//! [`Circuit`] never reads a clock, logs, awaits, locks or spawns. Everything it decides follows
//! from the [`Settings`], the seed of its jitter and the calls made on it, so the same history
//! always gives the same verdicts: the [`breaker`](crate::breaker) module drives one live, and a
//! recorded history can be replayed through another.
//!
//! Use it directly to replay histories or to build a breaker over something that is not a tower
//! stack. To protect calls, use [`Breaker`](crate::Breaker), which adds the clock, the lock-free
//! healthy path and the permits that report themselves when they are dropped.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use tower_breaker::circuit::{Admission, Circuit, Moment, Outcome, Settings, State, Transitions};
//!
//! let settings = Settings::builder().failure_threshold(2).jitter(0.0).build()?;
//! let mut circuit = Circuit::new(Arc::new(settings), 0);
//! let mut happened = Transitions::new();
//!
//! let mut now = Moment::ZERO;
//! for _ in 0..2 {
//!     let Admission::Admitted { generation } = circuit.admit(now, &mut happened) else { panic!() };
//!     circuit.record(generation, Outcome::FAILURE, Duration::ZERO, now, &mut happened);
//! }
//! assert_eq!(circuit.state(), State::Open);
//!
//! now = now + Duration::from_secs(60);
//! assert!(matches!(circuit.admit(now, &mut happened), Admission::Admitted { .. }));
//! assert_eq!(circuit.state(), State::HalfOpen);
//! # Ok::<(), tower_breaker::circuit::InvalidSettings>(())
//! ```

mod admission;
mod adopt;
mod backoff;
mod control;
mod duration;
mod invalid;
mod moment;
mod outcome;
mod probes;
mod reason;
mod record;
mod reservation;
mod settings;
mod slack;
mod standing;
mod state;
mod transition;
mod underlying;
mod window;

mod machine;

pub(crate) use self::standing::Standing;
pub use self::{
    admission::{Admission, Booking, Command, Grant, Refusal, RejectReason},
    adopt::Adoption,
    invalid::{InvalidField, InvalidSettings},
    machine::Circuit,
    moment::Moment,
    outcome::{Outcome, OutcomeKind},
    reason::{Reason, TripReason},
    settings::{Settings, SettingsBuilder, SlidingWindow},
    slack::Slack,
    state::{Gate, Override, State},
    transition::{Origin, Transition, Transitions, Version},
    underlying::Underlying,
    window::Counts,
};
