//! What the tests over real connections have in common.

use std::time::{Duration, Instant};

use tower_breaker::{
    Breaker,
    breaker::{Snapshot, clock::ManualClock},
};

use super::shared::{live, plain, secs};

/// A breaker on a clock that a test moves, which opens at the second failure in a row, is probed
/// once, and counts calls in its window.
pub(crate) fn breaker() -> (Breaker, ManualClock) {
    live(
        plain()
            .failure_threshold(2)
            .failure_rate_threshold(1.0)
            .permitted_calls_in_half_open(1)
            .slow_call_duration_threshold(secs(10)),
    )
}

/// Waits until the figures of a breaker are as they should be: the other side is a real server.
pub(crate) async fn eventually(breaker: &Breaker, holds: impl Fn(&Snapshot) -> bool) -> Snapshot {
    #[allow(clippy::disallowed_methods, reason = "a real server is the other side")]
    let started = Instant::now();
    loop {
        let snapshot = breaker.snapshot();
        if holds(&snapshot) {
            return snapshot;
        }
        #[allow(clippy::disallowed_methods, reason = "a real server is the other side")]
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(10), "{snapshot:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
