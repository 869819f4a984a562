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
    probing::Asked,
    shared::{Shared, Uncommitted},
};
use crate::{
    breaker::{Breaker, ServiceName},
    circuit::{Gate, Moment, State},
    store::{ChangeHint, Cursor, StoreError},
};

/// How many circuits are settled at the same time.
pub(super) const AT_ONCE: usize = 8;
/// How many circuits are read one by one after hints; for more, all that changed are read.
pub(super) const ONE_BY_ONE: usize = 32;
/// The first and the longest pause after a store did not answer. Each is up to twice the one before,
/// by chance, so that the processes of a fleet do not come back at once.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How often keyed circuits are looked at that are closed and idle, and how many are removed then.
pub(super) const SWEEP: (Duration, usize) = (Duration::from_secs(30), 256);
/// How long a process waits at most, by chance, before it proposes a lease: circuits that opened
/// together ask together, and the first one spares the others the try.
const JITTER: Duration = Duration::from_millis(5);

/// Commits what the circuits of a process do, and lets them follow what others did.
pub(crate) struct Coordinator {
    pub(super) shared: Shared,
    pub(super) cursor: Option<Cursor>,
    /// What has to be read: all that changed, all, or some circuits.
    pub(super) reload: Reload,
    pub(super) hinted: HashSet<ServiceName, RandomState>,
    pub(super) backlogs: HashMap<ServiceName, Backlog, RandomState>,
    /// Circuits that change without being asked.
    pub(super) half_open: HashSet<ServiceName, RandomState>,
    /// Circuits that wait for leave to probe, and when to see to it.
    pub(super) asking: HashMap<ServiceName, Asking, RandomState>,
    /// When the leases that are held have to be looked at.
    leases_due: Option<Moment>,
    pause: Duration,
}

/// When to see to a circuit that is to probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    at: Moment,
    /// Nobody has asked yet. It is to probe at the end of its open time if calls were rejected
    /// meanwhile, beyond so many, so that the first one after that finds the lease taken.
    unless_rejected: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reload {
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
            asking: HashMap::default(),
            leases_due: None,
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
        self.work().await
    }

    async fn work(&mut self) -> Uncommitted {
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
            self.ask_for();
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
            // Also without a pause it is looked whether the time is over.
            tokio::select! {
                biased;
                () = &mut over => break,
                () = tokio::time::sleep(self.pause) => {}
            }
        }
        let mut left = self.shared.dirty.names();
        left.extend(self.backlogs.keys().cloned());
        self.shared.give_back_all().await;
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
                self.shared.coordinate(!self.shared.stop.is_set());
                self.pause = Duration::ZERO;
            }
            Err(error) => {
                if !self.shared.health.is_down() {
                    // What is read next has to make up for hints that were lost meanwhile.
                    self.reload = Reload::All;
                }
                self.shared.health.failed(error);
                self.shared.coordinate(false);
                let longest = (self.pause * 2).clamp(PAUSES.0, PAUSES.1);
                self.pause = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
            }
        }
    }

    // ===== time =====

    /// When the next circuit changes without being asked.
    fn due(&self) -> Duration {
        let never = Duration::from_secs(3600);
        let deadline =
            |service: &ServiceName| self.shared.circuits.find(service)?.breaker.poll_deadline();
        let now = self.shared.clock.now();
        // Leases need a store that answers.
        let answers = self.pause.is_zero();
        let asking = self.asking.values().map(|asking| asking.at);
        let asked = asking.chain(self.leases_due).filter(|_| answers).map(|due| due.since(now));
        self.half_open.iter().filter_map(deadline).chain(asked).min().unwrap_or(never)
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

    // ===== leave to probe =====

    /// Takes up who asked for leave to probe since the last time.
    fn ask_for(&mut self) {
        let now = self.shared.clock.now();
        for service in self.shared.dirty.take_asking() {
            self.asking.insert(service, Asking { at: now + jitter(), unless_rejected: None });
        }
    }

    /// Takes up a circuit that opened, or that waits for another process's round.
    pub(super) fn opened(&mut self, service: &ServiceName, breaker: &Breaker) {
        let here = breaker.underlying();
        // Zero in another process's round: how long that lasts is looked up then.
        let left = here.open_for.saturating_sub(here.elapsed);
        let now = self.shared.clock.now();
        // One that was to be seen to later was about another opening.
        let known = self.asking.get(service).is_some_and(|asking| asking.at <= now + left + JITTER);
        if breaker.gate() != Gate::Granted || known {
            return;
        }
        let at = now + left + jitter();
        // Nobody has to call where there is a probe of the user's own.
        let unless_rejected =
            if self.shared.options.probe.is_some() { None } else { Some(breaker.rejected()) };
        self.asking.insert(service.clone(), Asking { at, unless_rejected });
    }

    /// Gets leave to probe for those whose time it is, and keeps the leases that are held.
    pub(super) async fn probe(&mut self) -> Result<(), StoreError> {
        let now = self.shared.clock.now();
        let due = |asking: &Asking| asking.at <= now;
        let services: Vec<_> = self
            .asking
            .iter()
            .filter(|(_, asking)| due(asking))
            .map(|(service, asking)| (service.clone(), asking.unless_rejected))
            .collect();
        let look = self.leases_due.is_some_and(|at| at <= now) || !services.is_empty();
        let shared = &self.shared;
        let asked: Vec<_> = stream::iter(services)
            .map(|(service, unless_rejected)| async move {
                let asked = shared.ask(&service, unless_rejected).await;
                (service, unless_rejected, asked)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let now = self.shared.clock.now();
        for (service, unless_rejected, asked) in asked {
            match asked? {
                Asked::Settled => {
                    self.asking.remove(&service);
                }
                Asked::Later(left) => {
                    self.asking
                        .insert(service, Asking { at: now + left + jitter(), unless_rejected });
                }
            }
        }
        if look {
            let next = self.shared.keep_leases().await?;
            self.leases_due = next.map(|next| self.shared.clock.now() + next);
        }
        Ok(())
    }
}

/// Also if it panicked, or its runtime ended: circuits that wait for a grant would wait for ever.
impl Drop for Coordinator {
    fn drop(&mut self) {
        self.shared.coordinate(false);
    }
}

fn jitter() -> Duration {
    JITTER.mul_f64(fastrand::f64())
}
