//! Which circuits have something to be committed.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ahash::RandomState;
use tokio::sync::Notify;

use crate::{
    breaker::{Event, EventKind, Observer, ServiceName},
    circuit::{Override, Version},
    store::Extra,
};

/// Collects the names of circuits that changed, for a coordinator: each once, so that it is bounded
/// by their number, and no change can be missed however late the coordinator is.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    marks: Mutex<HashMap<ServiceName, Mark, RandomState>>,
    /// Circuits that wait for leave to probe.
    asking: Mutex<HashSet<ServiceName, RandomState>>,
    /// Events were dropped: any circuit may have changed.
    all: AtomicBool,
    changed: Notify,
    /// How many circuits were taken and have still something to be committed.
    taken: AtomicUsize,
}

/// What a mark says beyond that the circuit changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark {
    pub(super) attribution: Option<Attribution>,
    /// Live settings that a person wants.
    pub(super) settings: Option<(Extra, Option<String>)>,
    /// As many processes as it takes have opened the circuit for themselves.
    pub(super) quorum: Option<Opening>,
}

/// What a quorum decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(super) votes: u32,
    pub(super) quorum: u32,
    pub(super) open_for: Duration,
    /// The version that the votes are about.
    pub(super) version: Version,
}

/// Who set or lifted an override, and why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attribution {
    /// The override, none if it was lifted. Circuits that keep no changes are known by it alone.
    pub(crate) over: Option<Override>,
    pub(crate) by: Option<String>,
    pub(crate) reason: Option<String>,
}

impl Dirty {
    pub(crate) fn mark(&self, service: &ServiceName) {
        self.update(service, |_| {});
    }

    /// Says who is about to set or lift an override.
    pub(crate) fn attribute(&self, service: &ServiceName, attribution: Attribution) {
        self.update(service, |mark| mark.attribution = Some(attribution));
    }

    /// Asks for live settings to be shared.
    pub(crate) fn share_settings(&self, service: &ServiceName, changes: Extra, by: Option<String>) {
        self.update(service, |mark| mark.settings = Some((changes, by)));
    }

    /// Asks for a circuit to be opened for all.
    pub(super) fn open(&self, service: &ServiceName, opening: Opening) {
        self.update(service, |mark| mark.quorum = Some(opening));
    }

    /// Takes the circuits that wait for leave to probe.
    pub(super) fn take_asking(&self) -> HashSet<ServiceName, RandomState> {
        std::mem::take(&mut *self.asking())
    }

    fn update(&self, service: &ServiceName, update: impl FnOnce(&mut Mark)) {
        let mut marks = self.marks();
        match marks.get_mut(service) {
            Some(mark) => update(mark),
            None => update(marks.entry(service.clone()).or_default()),
        }
        drop(marks);
        self.changed.notify_one();
    }

    pub(super) fn mark_all(&self) {
        self.all.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Takes the marks, and whether all circuits have to be looked at.
    pub(super) fn take(&self) -> (HashMap<ServiceName, Mark, RandomState>, bool) {
        let mut waiting = self.marks();
        let marks = std::mem::take(&mut *waiting);
        // Under the lock, so that nobody sees neither.
        self.taken.fetch_add(marks.len(), Ordering::AcqRel);
        drop(waiting);
        (marks, self.all.swap(false, Ordering::AcqRel))
    }

    /// Puts back what could not be done. What was marked meanwhile is newer.
    pub(super) fn put_back(&self, service: ServiceName, mark: Mark) {
        let mut marks = self.marks();
        let newer = marks.entry(service).or_default();
        newer.attribution = newer.attribution.take().or(mark.attribution);
        newer.settings = newer.settings.take().or(mark.settings);
        newer.quorum = newer.quorum.or(mark.quorum);
    }

    pub(super) fn contains(&self, service: &ServiceName) -> bool {
        self.marks().contains_key(service)
    }

    /// How many circuits have something to be committed, as far as it is known.
    pub(crate) fn uncommitted(&self) -> usize {
        self.marks().len() + self.taken.load(Ordering::Acquire)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.uncommitted() > 0
    }

    /// Says how many of the circuits that were taken have still something to be committed.
    pub(super) fn set_taken(&self, circuits: usize) {
        self.taken.store(circuits, Ordering::Release);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.marks().is_empty()
    }

    pub(super) fn names(&self) -> HashSet<ServiceName, RandomState> {
        self.marks().keys().cloned().collect()
    }

    /// Completes when there is something to do. Cancel safe.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn asking(&self) -> MutexGuard<'_, HashSet<ServiceName, RandomState>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn marks(&self) -> MutexGuard<'_, HashMap<ServiceName, Mark, RandomState>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Dirty {
    fn observe(&self, event: &Event) {
        match &event.kind {
            EventKind::Transition(_) => self.mark(&event.service),
            EventKind::GrantRequested => {
                self.asking().insert(event.service.clone());
                self.changed.notify_one();
            }
            EventKind::Dropped { .. } => self.mark_all(),
            _ => {}
        }
    }

    fn wants_rejections(&self) -> bool {
        false
    }
}
