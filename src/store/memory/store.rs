//! The handle of a store in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::{
    builder::{MemoryStoreBuilder, WallClock},
    fleet::Fleet,
    history::History,
    state::Circuits,
    stats::MemoryStats,
};
use crate::store::{ChangeHint, Timestamp};

/// How many hints a watcher may be behind before it is told to look at everything.
const HINTS: usize = 1024;

/// A store in memory: states, history and fleet, shared by all clones, gone with the last of them.
///
/// The history is bounded, see [`MemoryStoreBuilder`]; an event that was let go and is appended
/// again is new again. Circuits, leases and rows of processes are not bounded: they go when they are
/// removed. No method waits, so a future that is dropped was never polled or has done all its work.
///
/// ```
/// use std::sync::Arc;
/// use tower_breaker::{
///     ServiceName,
///     circuit::{State, Version},
///     store::{CircuitRecord, Expected, Lane, MemoryStore, StateStore},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
///
/// let service = ServiceName::new("payments")?;
/// let mut record = CircuitRecord::new(service.clone());
/// record.state.state = State::Open;
/// record.state.version = Version::new(0, 1);
/// store.compare_and_swap(Expected::missing(Lane::State), &record, None).await?;
///
/// let found = store.load(&service).await?.and_then(|stored| stored.record());
/// assert_eq!(found.map(|record| record.state.state), Some(State::Open));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MemoryStore {
    pub(super) shared: Arc<Shared>,
}

/// What all clones of a store share. Whoever takes two of the locks takes them in this order.
#[derive(Debug)]
pub(super) struct Shared {
    circuits: Mutex<Circuits>,
    history: Mutex<History>,
    fleet: Mutex<Fleet>,
    pub(super) hints: broadcast::Sender<ChangeHint>,
    clock: WallClock,
}

impl MemoryStore {
    /// An empty store with the bounds of [`MemoryStoreBuilder`].
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A store with other bounds or another clock.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::default()
    }

    pub(super) fn with(builder: MemoryStoreBuilder) -> Self {
        let shared = Shared {
            circuits: Mutex::default(),
            history: Mutex::new(History::new(&builder)),
            fleet: Mutex::default(),
            hints: broadcast::Sender::new(HINTS),
            clock: builder.clock,
        };
        Self { shared: Arc::new(shared) }
    }

    /// What the store holds now.
    #[must_use]
    pub fn stats(&self) -> MemoryStats {
        let circuits = self.shared.circuits().len();
        MemoryStats { circuits, ..self.shared.history().stats() }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    pub(super) fn circuits(&self) -> MutexGuard<'_, Circuits> {
        lock(&self.circuits)
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    pub(super) fn fleet(&self) -> MutexGuard<'_, Fleet> {
        lock(&self.fleet)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// A clock that panicked under a lock did so before anything was written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::{Duration, SystemTime},
    };

    use futures_util::StreamExt;

    use super::*;
    use crate::{
        circuit::{Moment, Version},
        name::ServiceName,
        store::{
            CircuitRecord, EventId, EventKind, EventQuery, EventRecord, Expected, FleetStore,
            HistoryStore, Lane, MetricBucket, Resolution, RunId, StateStore,
        },
    };

    const DAY: Duration = Duration::from_secs(86_400);

    /// A wall clock that moves when it is told to, both ways.
    #[derive(Clone, Default)]
    struct ManualClock(Arc<AtomicU64>);

    impl ManualClock {
        fn advance(&self, duration: Duration) {
            self.set(Moment::from_nanos(self.0.load(Ordering::Relaxed)) + duration);
        }

        fn set(&self, moment: Moment) {
            self.0.store(moment.as_nanos(), Ordering::Relaxed);
        }

        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_nanos(self.0.load(Ordering::Relaxed))
        }
    }

    fn service() -> ServiceName {
        ServiceName::new("payments").unwrap()
    }

    fn micros(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    fn with_clock() -> (MemoryStore, ManualClock) {
        let clock = ManualClock::default();
        clock.advance(DAY);
        let of_store = clock.clone();
        (MemoryStore::builder().clock(move || of_store.wall()).build(), clock)
    }

    async fn write(store: &MemoryStore, counter: u64) {
        let mut next = CircuitRecord::new(service());
        next.state.version = Version::new(0, counter);
        let found = store.load(&next.service).await.unwrap();
        let expected = Expected::found(Lane::State, found.as_ref());
        store.compare_and_swap(expected, &next, None).await.unwrap();
    }

    #[tokio::test]
    async fn the_oldest_rows_go_and_are_counted() {
        let store = MemoryStore::builder().max_events(2).max_buckets(1).build();
        let event = |sequence: u64, at| {
            let id = EventId { run: RunId::new(1).unwrap(), sequence };
            EventRecord::new(id, service(), micros(at), EventKind::Failure)
        };
        let new = store.append(&[event(1, 30), event(2, 10), event(3, 20)]).await.unwrap();
        assert_eq!(new, 3);
        let kept = store.events(&EventQuery::all()).await.unwrap();
        assert_eq!(kept.items, [event(3, 20), event(1, 30)]);
        for second in [2, 1] {
            let at = micros(second * 1_000_000);
            let bucket = MetricBucket::new(service(), RunId::random(), Resolution::Second, at);
            store.upsert_metrics(&[bucket]).await.unwrap();
        }
        let stats = store.stats();
        assert_eq!((stats.events, stats.dropped_events), (2, 1));
        assert_eq!((stats.buckets, stats.dropped_buckets), (1, 1));
    }

    #[tokio::test]
    async fn no_age_is_negative_and_no_lease_runs_out_while_the_clock_is_back() {
        let (store, clock) = with_clock();
        let owner = RunId::random();
        write(&store, 1).await;
        assert!(store.lease("work", owner, DAY / 2).await.unwrap().is_some());
        clock.set(Moment::ZERO);
        let age = || async {
            let found = store.load(&service()).await.unwrap();
            found.and_then(|stored| stored.record()).map(|record| record.age)
        };
        assert_eq!(age().await, Some(Duration::ZERO));
        assert!(store.lease("work", owner, DAY).await.unwrap().is_none());
        clock.advance(DAY * 2);
        assert_eq!(age().await, Some(DAY));
        assert!(store.lease("work", owner, DAY).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_watcher_that_lags_is_told_to_look_at_everything() {
        let store = MemoryStore::new();
        let mut watch = store.watch();
        assert_eq!(watch.next().await, Some(ChangeHint::Resync));
        for counter in 1..=HINTS as u64 + 1 {
            write(&store, counter).await;
        }
        assert_eq!(watch.next().await, Some(ChangeHint::Resync));
        assert_eq!(watch.next().await, Some(ChangeHint::Changed(service())));
    }
}
