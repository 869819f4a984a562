//! tokio's clock, which a test can pause.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Clock;
use crate::circuit::Moment;

/// tokio's clock: follows `tokio::time::pause` and `advance`, and the jumps of paused time.
///
/// Reads zero when it is made. Its wall clock starts at the real time and moves
/// along.
#[derive(Clone, Debug)]
pub struct TokioClock {
    origin: Instant,
    wall_origin: SystemTime,
}

#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
impl TokioClock {
    /// A clock that starts now. Inside a runtime with paused time it follows that time.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now(), wall_origin: SystemTime::now() }
    }

    fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment::ZERO + self.elapsed()
    }

    fn wall(&self) -> SystemTime {
        self.wall_origin + self.elapsed()
    }
}
