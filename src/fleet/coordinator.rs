//! The task between the circuits of a process and their store.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ahash::RandomState;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::MissedTickBehavior;

use super::{
    backlog::Backlog,
    circuits::Circuits,
    complaints::Complaints,
    counters::Counters,
    dirty::{Dirty, Mark},
    follow::Absorbed,
    health::Health,
    mirror::Mirror,
    settle::{KEYED, Settled},
    stop::Stop,
};
use crate::{
    breaker::{ClockSource, ServiceName},
    circuit::State,
    store::{ChangeHint, Cursor, EventId, Expected, Lane, StateStore, StoreError},
};

/// How many circuits are settled at the same time.
const AT_ONCE: usize = 8;
/// How many circuits are read one by one after hints; for more, all that changed are read.
const ONE_BY_ONE: usize = 32;
/// The first and the longest pause after a store did not answer. Each is up to twice the one before,
/// by chance, so that the processes of a fleet do not come back at once.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How often keyed circuits are looked at that are closed and idle, and how many are removed then.
const SWEEP: (Duration, usize) = (Duration::from_secs(30), 256);

/// How a coordinator works.
#[derive(Clone, Debug)]
pub(crate) struct CoordinatorOptions {
    /// How long one operation of the store may take.
    pub(crate) timeout: Duration,
    /// How often the store is asked for changes that no hint told of.
    pub(crate) poll_interval: Duration,
    /// After how long a keyed circuit that is closed and idle is removed from the store.
    pub(crate) keyed_idle: Duration,
    /// How long a removed circuit's versions are remembered.
    pub(crate) tombstones: Duration,
}

/// What a coordinator could not commit before it had to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uncommitted {
    pub(crate) circuits: usize,
}

/// What the coordinator's parts use.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) circuits: Arc<dyn Circuits>,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) dirty: Arc<Dirty>,
    pub(crate) health: Arc<Health>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) complaints: Complaints,
    pub(crate) clock: ClockSource,
    pub(crate) ids: Arc<dyn Fn() -> EventId + Send + Sync>,
    pub(crate) options: CoordinatorOptions,
    pub(crate) stop: Stop,
}

/// Commits what the circuits of a process do, and lets them follow what others did.
pub(crate) struct Coordinator {
    shared: Shared,
    cursor: Option<Cursor>,
    /// What has to be read: all that changed, all, or some circuits.
    reload: Reload,
    hinted: HashSet<ServiceName, RandomState>,
    backlogs: HashMap<ServiceName, Backlog, RandomState>,
    /// Circuits that change without being asked.
    half_open: HashSet<ServiceName, RandomState>,
    pause: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reload {
    No,
    Changes,
    All,
}

impl Coordinator {
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared,
            cursor: None,
            reload: Reload::All,
            hinted: HashSet::default(),
            backlogs: HashMap::default(),
            half_open: HashSet::default(),
            pause: Duration::ZERO,
        }
    }

    /// Reads all records. Circuits that are made from then on begin where they were.
    ///
    /// # Errors
    ///
    /// Those of the store; [`run`](Self::run) tries again.
    pub(crate) async fn load(&mut self) -> Result<(), StoreError> {
        let result = self.read().await;
        self.note(&result);
        result
    }

    /// Works until it is stopped, then commits what is left until the deadline of that.
    pub(crate) async fn run(mut self) -> Uncommitted {
        let stop = self.shared.stop.clone();
        let mut hints = self.shared.store.watch();
        let mut poll = tokio::time::interval(self.shared.options.poll_interval);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Its first tick comes at once: what `load` read is read.
        poll.reset();
        let mut sweep = tokio::time::interval(SWEEP.0);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        sweep.reset();
        let mut swept = false;
        while !stop.is_set() {
            let due = self.due();
            let pause = self.pause;
            let dirty = Arc::clone(&self.shared.dirty);
            tokio::select! {
                () = stop.set() => break,
                // After a failure nothing is tried for a while, whoever asks.
                () = tokio::time::sleep(pause), if !pause.is_zero() => {}
                () = dirty.changed(), if pause.is_zero() => {}
                hint = hints.next(), if pause.is_zero() => {
                    self.hinted(hint);
                    while let Some(hint) = hints.next().now_or_never() {
                        if hint.is_none() {
                            break;
                        }
                        self.hinted(hint);
                    }
                }
                _ = poll.tick(), if pause.is_zero() => {
                    // Whoever mends a record by hand tells nobody.
                    let corrupt = self.shared.complaints.has_corrupt();
                    let reload = if corrupt { Reload::All } else { Reload::Changes };
                    self.reload = self.reload.max(reload);
                    self.unblock();
                }
                _ = sweep.tick(), if pause.is_zero() => swept = true,
                () = tokio::time::sleep(due) => {}
            }
            self.handle_deadlines();
            let result = self.pass().await;
            self.note(&result);
            if result.is_ok() && std::mem::take(&mut swept) {
                self.sweep().await;
            }
        }
        let mut over = std::pin::pin!(stop.over());
        while self.has_work() {
            // It ends at the deadline, since each operation of the store does.
            let result = self.settle_all().await;
            self.note(&result);
            if result.is_err() {
                tokio::select! {
                    () = &mut over => break,
                    () = tokio::time::sleep(self.pause) => {}
                }
            }
        }
        let mut left = self.shared.dirty.names();
        left.extend(self.backlogs.into_keys());
        Uncommitted { circuits: left.len() }
    }

    fn has_work(&self) -> bool {
        !self.shared.dirty.is_empty() || self.backlogs.values().any(|backlog| !backlog.blocked)
    }

    /// Tries again what waits for a record that cannot be read.
    fn unblock(&mut self) {
        for backlog in self.backlogs.values_mut() {
            backlog.blocked = false;
        }
    }

    fn hinted(&mut self, hint: Option<ChangeHint>) {
        match hint {
            Some(ChangeHint::Changed(service)) => {
                self.hinted.insert(service);
            }
            Some(ChangeHint::Resync) => self.reload = Reload::All,
            // A store that hints no more is asked at the poll interval.
            None => {}
        }
    }

    /// Notes whether the store answered, and for how long it is left alone if not.
    fn note<T>(&mut self, result: &Result<T, StoreError>) {
        match result {
            Ok(_) => {
                self.shared.health.answered();
                self.pause = Duration::ZERO;
            }
            Err(error) => {
                if !self.shared.health.is_down() {
                    // What is read next has to make up for hints that were lost meanwhile.
                    self.reload = Reload::All;
                }
                self.shared.health.failed(error);
                let longest = (self.pause * 2).clamp(PAUSES.0, PAUSES.1);
                self.pause = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
            }
        }
    }

    // ===== reading =====

    async fn pass(&mut self) -> Result<(), StoreError> {
        if self.hinted.len() > ONE_BY_ONE {
            self.reload = self.reload.max(Reload::Changes);
        }
        if self.reload > Reload::No {
            self.read().await?;
        }
        for service in std::mem::take(&mut self.hinted) {
            match self.shared.in_time("load", self.shared.store.load(&service)).await {
                Ok(Some(stored)) => {
                    self.shared.absorb(stored, self.backlogs.get(&service));
                }
                Ok(None) => self.lost(std::iter::once(service)),
                Err(error @ StoreError::Corrupt { .. }) => self.shared.complain(&error),
                Err(error) => {
                    self.reload = self.reload.max(Reload::Changes);
                    return Err(error);
                }
            }
        }
        self.settle_all().await
    }

    /// Reads all records, or those that changed.
    async fn read(&mut self) -> Result<(), StoreError> {
        let all = self.reload == Reload::All || self.cursor.is_none();
        let since = if all { None } else { self.cursor };
        let loaded = self.shared.in_time("load_all", self.shared.store.load_all(since)).await?;
        for error in &loaded.corrupt {
            self.shared.complain(error);
        }
        if all {
            self.shared.complaints.read_but_for(&loaded.corrupt);
        }
        let mut missing: HashSet<_, RandomState> =
            if all { self.shared.mirror.names().into_iter().collect() } else { HashSet::default() };
        let mut older = 0;
        for stored in loaded.stored {
            missing.remove(stored.service());
            let backlog = self.backlogs.get(stored.service());
            older += usize::from(self.shared.absorb(stored, backlog) == Absorbed::WentBack);
        }
        if older > 0 {
            tracing::warn!(
                circuits = older,
                "circuit breaker: the store has older records than before; this process puts back \
                 what it knows"
            );
        }
        if loaded.corrupt.is_empty() {
            self.lost(missing.into_iter());
        }
        self.cursor = Some(loaded.cursor);
        self.reload = Reload::No;
        self.hinted.clear();
        Ok(())
    }

    /// The store has nothing of circuits that it had something of, and no tombstones either.
    fn lost(&self, services: impl Iterator<Item = ServiceName>) {
        let mut lost = 0;
        for service in services {
            if self.shared.mirror.lose(&service) {
                self.shared.dirty.mark(&service);
                lost += 1;
            }
        }
        if lost > 0 {
            tracing::warn!(
                circuits = lost,
                "circuit breaker: the store lost records; this process puts back what it knows"
            );
        }
    }

    // ===== writing =====

    /// Settles all circuits that changed. After an error nothing more is begun.
    async fn settle_all(&mut self) -> Result<(), StoreError> {
        let (mut marks, all) = self.shared.dirty.take();
        if all {
            for service in self.shared.circuits.names() {
                marks.entry(service).or_default();
            }
        }
        for (service, backlog) in &self.backlogs {
            if !backlog.blocked && !marks.contains_key(service) {
                marks.insert(service.clone(), Mark::default());
            }
        }
        let work: Vec<_> = marks
            .into_iter()
            .map(|(service, mark)| {
                let backlog = self.backlogs.remove(&service).unwrap_or_default();
                (service, mark, backlog)
            })
            .collect();
        let shared = &self.shared;
        let failed = std::sync::atomic::AtomicBool::new(false);
        let failed = &failed;
        let mut settling = stream::iter(work)
            .map(|(service, mark, mut backlog)| async move {
                if failed.load(std::sync::atomic::Ordering::Relaxed) {
                    shared.dirty.put_back(service.clone(), mark);
                    return (service, backlog, None);
                }
                let result = shared.settle(&service, mark, &mut backlog).await;
                if result.is_err() {
                    failed.store(true, std::sync::atomic::Ordering::Relaxed);
                }
                (service, backlog, Some(result))
            })
            .buffer_unordered(AT_ONCE);
        let mut error = None;
        let mut again = Vec::new();
        while let Some((service, backlog, result)) = settling.next().await {
            let state = shared.circuits.find(&service).map(|found| found.breaker.state());
            if state == Some(State::HalfOpen) {
                self.half_open.insert(service.clone());
            }
            match result {
                Some(Err(failure)) => error = Some(failure),
                Some(Ok(Settled::Again)) => again.push(service.clone()),
                Some(Ok(Settled::Agreed | Settled::Blocked)) | None => {}
            }
            if !backlog.is_empty() {
                self.backlogs.insert(service, backlog);
            }
        }
        for service in again {
            shared.dirty.mark(&service);
        }
        shared.dirty.set_taken(self.backlogs.len());
        error.map_or(Ok(()), Err)
    }

    // ===== time =====

    /// When the next circuit changes without being asked.
    fn due(&self) -> Duration {
        let never = Duration::from_secs(3600);
        let deadline =
            |service: &ServiceName| self.shared.circuits.find(service)?.breaker.poll_deadline();
        self.half_open.iter().filter_map(deadline).min().unwrap_or(never)
    }

    /// Does what is due without a call that asks: a half-open round without traffic ends.
    fn handle_deadlines(&mut self) {
        let circuits = &self.shared.circuits;
        self.half_open.retain(|service| {
            let Some(found) = circuits.find(service) else { return false };
            if found.breaker.poll_deadline() == Some(Duration::ZERO) {
                found.breaker.handle_deadline();
            }
            found.breaker.state() == State::HalfOpen
        });
    }

    /// Removes keyed circuits that are closed and idle, and forgets those removed long ago. What
    /// fails is done the next time.
    async fn sweep(&self) {
        let now = self.shared.clock.now();
        let idle = self.shared.mirror.select(SWEEP.1, |known| {
            let record = known.record()?;
            let age = known.adoption(now).elapsed;
            let keyed = record.extra.contains_key(KEYED);
            let at_rest = record.state.state == State::Closed
                && record.override_.value.is_none()
                && record.settings.changes.is_empty();
            (keyed && at_rest && age >= self.shared.options.keyed_idle).then(|| record.clone())
        });
        for record in idle {
            let expected = Expected::version(Lane::State, record.state.version);
            let removed = self.shared.store.remove(&record.service, expected);
            match self.shared.in_time("remove", removed).await {
                Ok(()) => {
                    let removed = self.shared.store.load(&record.service);
                    if let Ok(Some(stored)) = self.shared.in_time("load", removed).await {
                        self.shared.absorb(stored, None);
                    }
                }
                Err(StoreError::Conflict { current: Some(current) }) => {
                    self.shared.absorb(*current, self.backlogs.get(&record.service));
                }
                Err(_) => return,
            }
        }
        let age = self.shared.options.tombstones;
        let forgotten = self.shared.store.forget_tombstones(age, 1000);
        // What is left is forgotten the next time.
        let _ = self.shared.in_time("forget_tombstones", forgotten).await;
    }
}
