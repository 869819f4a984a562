//! The map.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ahash::RandomState;
use papaya::HashSet;

use super::{BreakerMapBuilder, eviction::Ring};
use crate::{
    breaker::{
        Breaker, Events, Handle, ServiceName, Snapshot, UserCode, builder::Parts, hub::Hub,
        report_panic,
    },
    circuit::{Circuit, Moment, Settings},
};

/// How many circuits a new key makes the map look at for idle ones.
const LOOKS: usize = 2;
/// How many it looks at for a place when it is full.
const LOOKS_WHEN_FULL: usize = 16;

/// A breaker for each key. Cheap to clone; all clones are one map.
///
/// ```
/// use tower_breaker::BreakerMap;
///
/// let hosts = BreakerMap::builder().capacity(1_000).build()?;
/// let breaker = hosts.breaker("api.example.com");
/// assert_eq!(breaker.service().as_str(), "api.example.com");
/// # Ok::<(), tower_breaker::breaker::InvalidMap>(())
/// ```
///
/// Finding a key takes no lock. A new key does, and looks at a few other circuits: those that
/// nobody called for the idle timeout are forgotten. Where the map is full, a new key takes the
/// place of a circuit that holds nothing but successes; if there is none among the sixteen it looks
/// at, the key shares one *overflow* circuit with all others that found no place, and is counted. A
/// key that is not a valid [`ServiceName`] shares it too.
#[derive(Clone, Debug)]
pub struct BreakerMap(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    hub: Arc<Hub>,
    seed: u64,
    circuits: HashSet<ByName, RandomState>,
    /// The circuits of the set once more, for eviction; its lock is that of every change.
    ring: Mutex<Ring>,
    overflow: Breaker,
    overflowed: AtomicU64,
    evicted: AtomicU64,
}

/// What a builder was told.
pub(super) struct Config {
    pub(super) settings: Arc<Settings>,
    pub(super) settings_for: Option<SettingsFor>,
    pub(super) on_create: Option<OnCreate>,
    pub(super) capacity: usize,
    pub(super) idle_timeout: Duration,
}

type SettingsFor = Box<dyn Fn(&str) -> Option<Arc<Settings>> + Send + Sync>;
type OnCreate = Box<dyn Fn(&Breaker) + Send + Sync>;

impl BreakerMap {
    /// The name of the circuit that keys without a place share.
    pub const OVERFLOW: &str = "(overflow)";

    /// Builds a map.
    pub fn builder() -> BreakerMapBuilder {
        BreakerMapBuilder::default()
    }

    pub(super) fn new(config: Config, parts: Parts) -> Self {
        let seed = parts.seed();
        let hub = parts.hub();
        let overflow = Circuit::new(Arc::clone(&config.settings), seed);
        let name = ServiceName::trusted(Self::OVERFLOW);
        let overflow = Breaker::kept(Handle::lanes(&name, &hub, overflow));
        Self(Arc::new(Inner {
            config,
            hub,
            seed,
            circuits: HashSet::with_hasher(RandomState::new()),
            ring: Mutex::default(),
            overflow,
            overflowed: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
        }))
    }

    /// The breaker for a key, which is made if there is none.
    #[must_use]
    #[inline]
    pub fn breaker(&self, key: &str) -> Breaker {
        self.get(key).unwrap_or_else(|| self.0.make(key))
    }

    /// The breaker for a key, if it has one.
    #[must_use]
    #[inline]
    pub fn get(&self, key: &str) -> Option<Breaker> {
        self.0.circuits.pin().get(key).map(|found| Breaker::of(Arc::clone(&found.0)))
    }

    /// The breaker that keys without a place share.
    #[must_use]
    pub fn overflow(&self) -> &Breaker {
        &self.0.overflow
    }

    /// How many calls were given the overflow circuit.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.0.overflowed.load(Ordering::Relaxed)
    }

    /// How many circuits were forgotten.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.0.evicted.load(Ordering::Relaxed)
    }

    /// How many keys have a circuit.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.ring().len()
    }

    /// Whether no key has a circuit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The snapshots of all circuits, in no order. Takes the lock of each for a moment.
    #[must_use]
    pub fn snapshots(&self) -> Vec<Snapshot> {
        let circuits = self.0.circuits.pin();
        circuits.iter().map(|found| Breaker::of(Arc::clone(&found.0)).snapshot()).collect()
    }

    /// The events of all circuits from now on.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.0.hub.subscribe()
    }

    /// Forgets all circuits that may be: not called for the idle timeout, without a call in flight,
    /// an open time that runs, or an override. New keys do the same in small steps.
    pub fn evict_idle(&self) {
        let mut ring = self.0.ring();
        let all = ring.len();
        self.0.sweep(&mut ring, all);
    }
}

impl Inner {
    /// Makes a circuit for a new key, or finds that it has to share.
    #[cold]
    fn make(&self, key: &str) -> Breaker {
        let service = match ServiceName::new(key) {
            Ok(service) if key != BreakerMap::OVERFLOW => service,
            // No name, or the one that stands for all that have no place.
            _ => return self.share(),
        };
        let settings = self.config.settings_for.as_ref().and_then(|settings_for| settings_for(key));
        let settings = settings.unwrap_or_else(|| Arc::clone(&self.config.settings));
        let make = || {
            let seed = self.seed ^ fastrand::u64(..);
            Handle::own(service, Arc::clone(&self.hub), Circuit::new(settings, seed))
        };
        match &self.config.on_create {
            None => self.place(key, make),
            Some(on_create) => {
                // A flood of keys that find no place makes nothing. The place is looked for again,
                // since the lock is not held meanwhile.
                if let Err(other) = self.find_place(&mut self.ring(), key) {
                    return other;
                }
                let handle = make();
                self.created(on_create, &handle);
                self.place(key, || handle)
            }
        }
    }

    fn created(&self, on_create: &OnCreate, handle: &Arc<Handle>) {
        let breaker = Breaker::of(Arc::clone(handle));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| on_create(&breaker))) {
            report_panic(&self.hub, handle.service(), UserCode::OnCreate, panic);
            self.hub.tell();
        }
    }

    /// Puts a circuit in the map, if there is still none for its key and a place.
    fn place(&self, key: &str, handle: impl FnOnce() -> Arc<Handle>) -> Breaker {
        let mut ring = self.ring();
        if let Err(other) = self.find_place(&mut ring, key) {
            return other;
        }
        let handle = handle();
        ring.push(Arc::clone(&handle), self.now());
        self.circuits.pin().insert(ByName(Arc::clone(&handle)));
        Breaker::of(handle)
    }

    /// Makes place for a new circuit; else says which one the key has, or has to share.
    fn find_place(&self, ring: &mut Ring, key: &str) -> Result<(), Breaker> {
        if let Some(found) = self.circuits.pin().get(key) {
            return Err(Breaker::of(Arc::clone(&found.0)));
        }
        self.sweep(ring, LOOKS);
        if ring.len() >= self.config.capacity {
            match ring.evict_one(LOOKS_WHEN_FULL, self.now(), self.config.idle_timeout) {
                Some(handle) => self.forget(&handle),
                None => return Err(self.share()),
            }
        }
        Ok(())
    }

    fn share(&self) -> Breaker {
        self.overflowed.fetch_add(1, Ordering::Relaxed);
        self.overflow.clone()
    }

    fn sweep(&self, ring: &mut Ring, looks: usize) {
        ring.evict_idle(looks, self.now(), self.config.idle_timeout, |handle| self.forget(handle));
    }

    /// A call that has just found the circuit and not taken its permit yet keeps it to itself; what
    /// it comes to is lost with it.
    fn forget(&self, handle: &Handle) {
        self.circuits.pin().remove(handle.service().as_str());
        self.evicted.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> Moment {
        self.hub.clock.moment(self.hub.clock.ticks())
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A circuit in a set, known by its name.
#[derive(Debug)]
struct ByName(Arc<Handle>);

impl Borrow<str> for ByName {
    fn borrow(&self) -> &str {
        self.0.service()
    }
}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.service().as_str().hash(state);
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.service() == other.0.service()
    }
}

impl Eq for ByName {}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("settings", &self.settings)
            .field("capacity", &self.capacity)
            .field("idle_timeout", &self.idle_timeout)
            .finish_non_exhaustive()
    }
}
