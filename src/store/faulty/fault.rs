//! What can go wrong with a call.

use std::time::Duration;

/// What goes wrong with a call of a store.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Fault {
    pub(super) effect: Effect,
    pub(super) delay: Duration,
    pub(super) probability: f64,
    pub(super) times: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    Error,
    Hang,
    LostAcknowledgement,
}

impl Fault {
    const fn new(effect: Effect) -> Self {
        Self { effect, delay: Duration::ZERO, probability: 1.0, times: None }
    }

    /// The call begins later.
    pub const fn delay(delay: Duration) -> Self {
        Self::new(Effect::None).after(delay)
    }

    /// The call fails with [`StoreError::Unavailable`](crate::store::StoreError::Unavailable), and
    /// does nothing.
    pub const fn error() -> Self {
        Self::new(Effect::Error)
    }

    /// The call is never answered, and does nothing.
    pub const fn hang() -> Self {
        Self::new(Effect::Hang)
    }

    /// The call does its work, and fails with
    /// [`StoreError::Unavailable`](crate::store::StoreError::Unavailable).
    pub const fn lost_acknowledgement() -> Self {
        Self::new(Effect::LostAcknowledgement)
    }

    /// The call waits before it does any of this.
    pub const fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// It happens to this share of the calls, 0 to 1, drawn at random.
    pub const fn with_probability(mut self, probability: f64) -> Self {
        self.probability = probability.clamp(0.0, 1.0);
        self
    }

    /// It happens so many times, to each operation that it is set for.
    pub const fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
}
