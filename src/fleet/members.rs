//! What the processes of a fleet tell each other of themselves.

use std::{sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;

use super::{
    circuits::Circuits,
    dirty::{Dirty, Opening},
    gates::Gates,
    mirror::Mirror,
    quorum::tally,
    stop::Stop,
    together,
    votes::Votes,
};
use crate::{
    breaker::ServiceName,
    circuit::{State, Version},
    store::{FleetStore, InstanceRow, Lane, RunId, StoreError, Timestamp, WindowSummary},
};

/// How often a process tells of itself at most.
const LEAST: Duration = Duration::from_secs(1);
/// How many windows a row holds at most: those with the most failures.
const MOST_WINDOWS: usize = 256;
/// For how many heartbeats a process counts that is not heard of.
const MISSED: u32 = 3;
/// How many rows of processes that are gone are removed in one go, and how long after.
const FORGET: (Duration, u32) = (Duration::from_secs(3600), 100);

/// At which of its own rows a process removes those.
const FORGET_EVERY: u32 = 100;

/// How a process takes part.
#[derive(Clone, Debug)]
pub(crate) struct MemberOptions {
    /// How often it tells of itself while nothing changes.
    pub(crate) heartbeat: Duration,
    /// Whether it tells what its windows hold.
    pub(crate) share_windows: bool,
    /// How long one operation of the store may take.
    pub(crate) timeout: Duration,
}

/// The task that tells the others of this process, and counts what they tell.
pub(crate) struct Member {
    pub(crate) run: RunId,
    pub(crate) name: String,
    pub(crate) started_at: Timestamp,
    pub(crate) store: Arc<dyn FleetStore>,
    pub(crate) circuits: Arc<dyn Circuits>,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) gates: Arc<Gates>,
    pub(crate) votes: Arc<Votes>,
    pub(crate) dirty: Arc<Dirty>,
    pub(crate) options: MemberOptions,
    pub(crate) stop: Stop,
}

/// What a process has told last.
#[derive(Debug, Default)]
struct Told {
    windows: Vec<WindowSummary>,
    /// Heartbeats since anything was written.
    ticks: u32,
    published: u32,
    down: bool,
    /// It was said that a quorum is more than there are processes.
    short: bool,
}

impl Member {
    /// Works until it is stopped, then withdraws.
    pub(crate) async fn run(self) {
        let mut told = Told::default();
        let tick = if self.options.share_windows { LEAST } else { self.options.heartbeat };
        let mut ticks = tokio::time::interval(tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let beats = (self.options.heartbeat.as_millis() / tick.as_millis().max(1)).max(1);
        let beats = u32::try_from(beats).unwrap_or(u32::MAX);
        loop {
            let voted = tokio::select! {
                () = self.stop.set() => break,
                () = self.votes.changed() => true,
                _ = ticks.tick() => false,
            };
            told.ticks = told.ticks.saturating_add(u32::from(!voted));
            let result = self.meet(&mut told, beats).await;
            match result {
                Ok(()) if told.down => {
                    told.down = false;
                    tracing::info!(
                        "circuit breaker: the processes of the fleet hear each other again"
                    );
                }
                Err(error) if !told.down => {
                    told.down = true;
                    tracing::warn!(
                        error = super::health::describe(&error),
                        "circuit breaker: this process does not hear the others of its fleet"
                    );
                }
                Ok(()) | Err(_) => {}
            }
        }
        // The row grows old by itself where this fails.
        let _ = self.in_time("retire", self.store.retire(self.run)).await;
    }

    async fn meet(&self, told: &mut Told, beats: u32) -> Result<(), StoreError> {
        let windows = if self.options.share_windows { self.windows() } else { Vec::new() };
        let votes = self.votes.all();
        let news = self.votes.take_dirty() || windows != told.windows;
        // A process without windows or votes tells only that it lives.
        if news || told.ticks >= beats {
            let mut row = InstanceRow::new(self.run, self.name.clone(), self.started_at);
            row.votes.clone_from(&votes);
            row.windows.clone_from(&windows);
            self.in_time("publish", self.store.publish(&row)).await?;
            told.windows.clone_from(&windows);
            told.ticks = 0;
            told.published = told.published.wrapping_add(1);
            if told.published.is_multiple_of(FORGET_EVERY) {
                let (gone, at_most) = FORGET;
                let forgotten = self.store.forget_instances(gone, at_most);
                self.in_time("forget_instances", forgotten).await?;
            }
        }
        let failing: Vec<_> = windows.iter().filter(|window| window.failures > 0).collect();
        if votes.is_empty() && failing.is_empty() {
            return Ok(());
        }
        let age = self.options.heartbeat * MISSED;
        let rows = self.in_time("instances", self.store.instances(age)).await?;
        for vote in &votes {
            self.count(&rows, &vote.service, told);
        }
        for window in failing {
            let Some(found) = self.circuits.find(&window.service) else { continue };
            let settings = found.breaker.settings();
            if let Some(reason) =
                together::verdict(&rows, self.run, &window.service, window, &settings)
            {
                found.breaker.trip(reason);
            }
        }
        Ok(())
    }

    /// Opens a circuit for all, if enough processes have opened it for themselves.
    fn count(&self, rows: &[InstanceRow], service: &ServiceName, told: &mut Told) {
        let Some(quorum) = self.gates.scope(service).quorum() else { return };
        let known = self.mirror.get(service).and_then(|known| known.stored);
        let version = known.as_ref().map_or(Version::default(), |known| known.version(Lane::State));
        let tally = tally(rows, service, version);
        if tally.votes >= quorum {
            let opening = Opening { votes: tally.votes, quorum, open_for: tally.open_for, version };
            self.dirty.open(service, opening);
        }
        let live = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        if quorum > live && !std::mem::replace(&mut told.short, true) {
            tracing::warn!(
                %service,
                quorum,
                live,
                "circuit breaker: a quorum is more than there are processes; no circuit opens for \
                 all"
            );
        }
        told.short &= quorum > live;
    }

    /// What the windows of closed circuits hold that a rate is set for.
    fn windows(&self) -> Vec<WindowSummary> {
        let snapshots = self.circuits.names().into_iter().filter_map(|service| {
            // Those of this process alone are nobody else's.
            self.gates.scope(&service).quorum()?;
            let breaker = self.circuits.find(&service)?.breaker;
            let snapshot = breaker.snapshot();
            let counts = snapshot.counts;
            let told = counts.calls > 0
                && snapshot.state == State::Closed
                && breaker.settings().failure_rate_threshold().is_some();
            told.then_some(WindowSummary {
                service,
                calls: counts.calls,
                failures: counts.failures,
                slow_calls: counts.slow_calls,
            })
        });
        let mut windows: Vec<_> = snapshots.collect();
        windows.sort_by(|a, b| b.failures.cmp(&a.failures).then_with(|| a.service.cmp(&b.service)));
        windows.truncate(MOST_WINDOWS);
        windows
    }

    async fn in_time<T>(
        &self,
        operation: &'static str,
        future: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let timeout = self.options.timeout;
        tokio::time::timeout(timeout, future)
            .await
            .unwrap_or_else(|_| Err(StoreError::timed_out(operation, timeout)))
    }
}
