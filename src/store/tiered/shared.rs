//! What all clones of a tiered store share.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ahash::RandomState;
use tokio::{runtime::Handle, sync::broadcast};

use super::{
    fleet::Leases,
    health::{Counters, add, name},
    kept::Owed,
    reads::Cursors,
    recover,
    rule::Tier,
    tier::{Side, Turn, describe},
};
use crate::{
    circuit::Version,
    name::ServiceName,
    store::{ChangeId, Cursor, Lane, StoreError, Stored},
};

/// The write of each lane that a reader was shown last.
type Shown = HashMap<ServiceName, [(Version, ChangeId); 3], RandomState>;

#[derive(Debug)]
pub(super) struct Shared {
    cache: Side,
    durable: Side,
    pub(super) pause: Duration,
    pub(super) counters: Counters,
    pub(super) owed: Owed,
    /// Told on every fail-over and recovery.
    pub(super) turns: broadcast::Sender<()>,
    shown: Mutex<Shown>,
    sources: Mutex<HashMap<ServiceName, Tier, RandomState>>,
    /// Circuits that a task is about to settle.
    settling: Mutex<HashSet<ServiceName, RandomState>>,
    pub(super) cursors: Mutex<Cursors>,
    /// Up to where the tiers agree about tombstones.
    pub(super) agreed: Mutex<Option<Cursor>>,
    pub(super) leases: Mutex<HashMap<u64, Leases, RandomState>>,
}

impl Shared {
    pub(super) fn new(cache: Side, durable: Side, pause: Duration) -> Self {
        Self {
            cache,
            durable,
            pause,
            counters: Counters::default(),
            owed: Owed::default(),
            turns: broadcast::Sender::new(16),
            shown: Mutex::default(),
            sources: Mutex::default(),
            settling: Mutex::default(),
            cursors: Mutex::default(),
            agreed: Mutex::default(),
            leases: Mutex::default(),
        }
    }

    pub(super) fn side(&self, tier: Tier) -> &Side {
        match tier {
            Tier::Cache => &self.cache,
            Tier::Durable => &self.durable,
        }
    }

    pub(super) fn is_down(&self, tier: Tier) -> bool {
        self.side(tier).is_down()
    }

    pub(super) fn any_down(&self) -> bool {
        Tier::ALL.into_iter().any(|tier| self.is_down(tier))
    }

    /// What a tier answers. Where that is one failure too many, the tier is given up.
    pub(super) async fn call<T>(
        self: &Arc<Self>,
        tier: Tier,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let (answer, turn) = self.side(tier).call(operation, work).await;
        if turn == Turn::WentDown {
            add(&self.counters.fail_overs);
            let error = answer.as_ref().err().map(describe);
            let other = name(tier.other());
            tracing::warn!(
                tier = tier.as_str(),
                error,
                "circuit breaker: {} does not answer; {other} alone is used",
                name(tier),
            );
            self.turned();
            recover::begin(self, tier);
        }
        answer
    }

    /// Tells watchers that they may have missed something. An error says that nobody watches.
    pub(super) fn turned(&self) {
        let _ = self.turns.send(());
    }

    // ===== what readers were shown =====

    pub(super) fn note_shown(&self, service: &ServiceName, stored: Option<&Stored>) {
        let mut shown = lock(&self.shown);
        match stored {
            Some(Stored::Record(record)) => {
                let lanes = Lane::ALL.map(|lane| (record.version(lane), record.change_id(lane)));
                shown.insert(service.clone(), lanes);
            }
            Some(Stored::Tombstone(_)) | None => {
                shown.remove(service);
            }
        }
    }

    /// The change that a reader was shown under a version.
    pub(super) fn shown(
        &self,
        service: &ServiceName,
        lane: Lane,
        version: Option<Version>,
    ) -> Option<ChangeId> {
        let shown = lock(&self.shown);
        let (of_change, change) = shown.get(service)?[lane as usize];
        (version == Some(of_change)).then_some(change)
    }

    pub(super) fn sources(&self) -> MutexGuard<'_, HashMap<ServiceName, Tier, RandomState>> {
        lock(&self.sources)
    }

    pub(super) fn settling(&self) -> MutexGuard<'_, HashSet<ServiceName, RandomState>> {
        lock(&self.settling)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does work that goes on when whoever waits for it is dropped.
pub(super) async fn detached<T: Send + 'static>(
    operation: &'static str,
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match Handle::try_current() {
        Ok(runtime) => match runtime.spawn(work).await {
            Ok(answer) => answer,
            Err(error) => Err(StoreError::unavailable(operation, error)),
        },
        Err(_) => work.await,
    }
}
