//! Deletes what is old, in small steps.

use std::{convert::Infallible, time::Duration};

use super::{
    options::{InvalidOptions, duration, number},
    shared::Shared,
    writer::attempt,
};
use crate::store::{HistoryStore, Prune, Resolution, StoreError};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the history is kept.
///
/// Old rows are deleted a few at a time, with pauses, and not while events wait to be written.
#[derive(Clone, Debug)]
#[must_use]
pub struct Retention {
    ages: [(Prune, Duration); 6],
    interval: Duration,
    rows: u32,
    pause: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            ages: [
                (Prune::Events, 30 * DAY),
                (Prune::Metrics(Resolution::Second), 6 * HOUR),
                (Prune::Metrics(Resolution::Minute), 30 * DAY),
                (Prune::Metrics(Resolution::Hour), 400 * DAY),
                (Prune::Patterns, 400 * DAY),
                (Prune::Alerts, 400 * DAY),
            ],
            interval: Duration::from_secs(60),
            rows: 500,
            pause: Duration::from_millis(100),
        }
    }
}

impl Retention {
    /// Keeps events for 30 days, seconds for 6 hours, minutes for 30 days, hours, patterns and
    /// alerts for 400 days.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long something is kept, at least 1 s.
    pub fn keep(mut self, what: Prune, age: Duration) -> Self {
        for (kind, kept) in &mut self.ages {
            if *kind == what {
                *kept = age;
            }
        }
        self
    }

    /// How long to wait from one round to the next, 1 ms to 1 h. Default 1 min.
    pub fn interval(mut self, duration: Duration) -> Self {
        self.interval = duration;
        self
    }

    /// How many rows one step deletes at most, 1 to 10,000, and how long to wait before the next
    /// one, 1 ms to 1 h. Defaults 500 and 100 ms.
    pub fn steps(mut self, rows: u32, pause: Duration) -> Self {
        self.rows = rows;
        self.pause = pause;
        self
    }

    pub(super) fn check(&self) -> Result<(), InvalidOptions> {
        for &(_, age) in &self.ages {
            if age < Duration::from_secs(1) {
                let age = humantime::format_duration(age);
                let problem = format!("is {age} but must be at least 1s");
                return Err(InvalidOptions { field: "retention.keep", problem });
            }
        }
        duration("retention.interval", self.interval)?;
        number("retention.rows", self.rows as usize, 1..=10_000)?;
        duration("retention.pause", self.pause)
    }
}

/// Deletes what is old, for ever.
pub(super) async fn prune_on(shared: &Shared, history: &dyn HistoryStore) -> Infallible {
    let Some(retention) = &shared.options.retention else { return std::future::pending().await };
    // Processes that start together do not delete together.
    tokio::time::sleep(retention.interval.mul_f64(fastrand::f64())).await;
    let mut failed = false;
    loop {
        match prune(shared, history, retention).await {
            Ok(()) if failed => {
                failed = false;
                tracing::info!("circuit breaker history: old rows are deleted again");
            }
            Ok(()) => {}
            Err(error) if !failed => {
                failed = true;
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "circuit breaker history: old rows cannot be deleted");
            }
            Err(_) => {}
        }
        tokio::time::sleep(retention.interval).await;
    }
}

async fn prune(
    shared: &Shared,
    history: &dyn HistoryStore,
    retention: &Retention,
) -> Result<(), StoreError> {
    for &(what, age) in &retention.ages {
        // Writing goes first: the next round makes up for it.
        while !shared.is_behind() {
            let before = shared.wall().before(age);
            let deleting = history.prune(what, before, retention.rows);
            let deleted = attempt(shared.options.write_timeout, "prune", deleting).await?;
            shared.counters.pruned.add(deleted);
            if deleted < u64::from(retention.rows) {
                break;
            }
            tokio::time::sleep(retention.pause).await;
        }
    }
    Ok(())
}
