//! What a store has, as far as this process knows.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ahash::RandomState;

use super::lease::Sighting;
use crate::{
    breaker::ServiceName,
    circuit::{Adoption, Moment, State, Version},
    store::{CircuitRecord, Lane, Stored},
};

/// The last known record of each circuit. A circuit that is made finds there what it was.
#[derive(Debug, Default)]
pub(crate) struct Mirror(Mutex<HashMap<ServiceName, Known, RandomState>>);

/// What is known of one circuit.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// What the store has; none if it lost it.
    pub(crate) stored: Option<Stored>,
    /// When that was read.
    pub(crate) read_at: Moment,
    /// The highest version that was ever seen of each lane.
    highest: [Version; 3],
    /// What the store had before it lost it.
    lost: Option<CircuitRecord>,
    /// What people set that the circuit was not told of.
    untold: Orders,
    /// The lease on the half-open round, and since when this process has seen it.
    pub(crate) sighting: Option<Sighting>,
}

/// The lanes of what people set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    pub(crate) override_: bool,
    pub(crate) settings: bool,
}

impl Mirror {
    pub(crate) fn get(&self, service: &ServiceName) -> Option<Known> {
        self.lock().get(service).cloned()
    }

    /// What `pick` makes of what is known, up to `at_most`.
    pub(crate) fn select<T>(
        &self,
        at_most: usize,
        pick: impl FnMut(&Known) -> Option<T>,
    ) -> Vec<T> {
        self.lock().values().filter_map(pick).take(at_most).collect()
    }

    /// Takes in what was read, lane by lane: an older read does not undo a newer one. Returns whether
    /// the state is news; what people set is [kept](Self::take_orders) until the circuit is told.
    pub(super) fn learn(&self, stored: Stored, read_at: Moment) -> bool {
        let mut known = self.lock();
        match known.get_mut(stored.service()) {
            Some(known) => known.learn(stored, read_at),
            None => {
                let service = stored.service().clone();
                known.insert(service, Known::new(stored, read_at));
                true
            }
        }
    }

    /// The store has nothing of a circuit any more. Returns whether that is a loss: a tombstone is
    /// forgotten on purpose.
    pub(super) fn lose(&self, service: &ServiceName) -> bool {
        let mut known = self.lock();
        let Some(of_service) = known.get_mut(service) else { return false };
        match of_service.stored.take() {
            Some(Stored::Record(record)) => {
                of_service.lost = Some(record);
                true
            }
            Some(Stored::Tombstone(_)) => {
                known.remove(service);
                false
            }
            None => false,
        }
    }

    /// Whether what was read is older than what was read before: the store lost the newest. What it
    /// has now is learnt like something new.
    pub(super) fn goes_back(&self, stored: &Stored) -> bool {
        let older = self.lock().get(stored.service()).is_some_and(|known| known.is_after(stored));
        older && self.lose(stored.service())
    }

    /// Whether there are tombstones that are at least so old.
    pub(super) fn has_tombstones(&self, age: Duration, now: Moment) -> bool {
        self.lock().values().any(|known| known.is_tombstone_of(age, now))
    }

    /// Forgets those tombstones. What the store still has of them is read again.
    pub(super) fn forget_tombstones(&self, age: Duration, now: Moment) {
        self.lock().retain(|_, known| !known.is_tombstone_of(age, now));
    }

    /// What people set that a circuit was not told of: whoever takes it tells it.
    pub(crate) fn take_orders(&self, service: &ServiceName) -> Orders {
        let mut known = self.lock();
        known.get_mut(service).map(|known| std::mem::take(&mut known.untold)).unwrap_or_default()
    }

    /// What the store had of a circuit before it lost it, once.
    pub(super) fn take_lost(&self, service: &ServiceName) -> Option<CircuitRecord> {
        self.lock().get_mut(service)?.lost.take()
    }

    /// The circuits that the store is thought to have something of.
    pub(super) fn names(&self) -> Vec<ServiceName> {
        let known = self.lock();
        known
            .iter()
            .filter(|(_, known)| known.stored.is_some())
            .map(|(service, _)| service.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServiceName, Known, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn new(stored: Stored, read_at: Moment) -> Self {
        let highest = Lane::ALL.map(|lane| stored.version(lane));
        let mut known = Self {
            stored: Some(stored),
            read_at,
            highest,
            lost: None,
            untold: Orders { override_: true, settings: true },
            sighting: None,
        };
        known.sight(read_at);
        known
    }

    fn is_tombstone_of(&self, age: Duration, now: Moment) -> bool {
        match &self.stored {
            Some(Stored::Tombstone(tombstone)) => {
                tombstone.age.saturating_add(now.since(self.read_at)) >= age
            }
            _ => false,
        }
    }

    fn sight(&mut self, now: Moment) {
        self.sighting = self.record().and_then(|record| Sighting::of(record, self.sighting, now));
    }

    fn is_after(&self, stored: &Stored) -> bool {
        let Some(mine) = &self.stored else { return false };
        Lane::ALL.into_iter().any(|lane| stored.version(lane) < mine.version(lane))
    }

    fn learn(&mut self, stored: Stored, read_at: Moment) -> bool {
        let was_missing = self.stored.is_none();
        let newer = |lane: Lane| stored.version(lane) > self.highest[lane as usize];
        let news = newer(Lane::State);
        self.untold.override_ |= newer(Lane::Override);
        self.untold.settings |= newer(Lane::Settings);
        // Not the highest: what was lost is put back by others at lower versions.
        let not_older = |lane: Lane| {
            self.stored.as_ref().is_none_or(|mine| stored.version(lane) >= mine.version(lane))
        };
        let [state, override_, settings] = Lane::ALL.map(not_older);
        for lane in Lane::ALL {
            let highest = &mut self.highest[lane as usize];
            *highest = (*highest).max(stored.version(lane));
        }
        match (&mut self.stored, stored) {
            (Some(Stored::Record(mine)), Stored::Record(theirs)) if !was_missing => {
                if state {
                    mine.take_lane(Lane::State, &theirs);
                    self.read_at = read_at;
                }
                if override_ {
                    mine.take_lane(Lane::Override, &theirs);
                }
                if settings {
                    mine.take_lane(Lane::Settings, &theirs);
                }
            }
            (mine, theirs) => {
                // A record is written over a tombstone, and the other way round, with the versions
                // that were there: what is not older in any lane is what is there now.
                if was_missing || (state && override_ && settings) {
                    *mine = Some(theirs);
                    self.read_at = read_at;
                }
            }
        }
        self.sight(read_at);
        news
    }

    pub(super) fn highest(&self) -> [Version; 3] {
        self.highest
    }

    /// Whether the store lost changes of the state: it goes on from lower versions than were seen.
    pub(super) fn is_behind(&self) -> bool {
        let version = self.stored.as_ref().map(|stored| stored.version(Lane::State));
        version.unwrap_or_default() < self.highest[Lane::State as usize]
    }

    pub(crate) fn record(&self) -> Option<&CircuitRecord> {
        match &self.stored {
            Some(Stored::Record(record)) => Some(record),
            _ => None,
        }
    }

    /// How long the state has been in force, by the store's clock when it was read.
    pub(super) fn age(&self, now: Moment) -> Duration {
        let age = self.record().map_or(Duration::ZERO, |record| record.age);
        age.saturating_add(now.since(self.read_at))
    }

    /// The state as a circuit takes it over at `now`.
    pub(crate) fn adoption(&self, now: Moment) -> Adoption {
        let since_read = now.since(self.read_at);
        match &self.stored {
            Some(Stored::Record(record)) => Adoption {
                state: record.state.state,
                elapsed: record.age.saturating_add(since_read),
                open_for: record.state.open_for,
                reopens: record.state.reopens,
                version: record.state.version,
            },
            Some(Stored::Tombstone(_)) | None => Adoption {
                state: State::Closed,
                elapsed: Duration::ZERO,
                open_for: Duration::ZERO,
                reopens: 0,
                version: self.highest[Lane::State as usize],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Timestamp, Tombstone};

    fn record(state: u64, override_: u64) -> CircuitRecord {
        let mut record = CircuitRecord::new(ServiceName::new("a").unwrap());
        record.state.version = Version::new(0, state);
        record.override_.version = Version::new(0, override_);
        record
    }

    #[test]
    fn an_older_read_undoes_no_lane() {
        let mirror = Mirror::default();
        let service = ServiceName::new("a").unwrap();
        mirror.learn(Stored::Record(record(3, 1)), Moment::ZERO);
        mirror.take_orders(&service);
        assert!(!mirror.learn(Stored::Record(record(2, 4)), Moment::ZERO));
        let orders = mirror.take_orders(&service);
        assert_eq!(orders, Orders { override_: true, settings: false });
        assert_eq!(mirror.take_orders(&service), Orders::default(), "it is told once");
        let known = mirror.get(&service).unwrap();
        let versions = known.record().unwrap().versions();
        assert_eq!((versions.state.counter, versions.override_.counter), (3, 4));
    }

    #[test]
    fn what_the_store_lost_keeps_its_versions() {
        let mirror = Mirror::default();
        let service = ServiceName::new("a").unwrap();
        mirror.learn(Stored::Record(record(3, 1)), Moment::ZERO);
        assert!(mirror.lose(&service));
        assert!(!mirror.lose(&service), "it is lost once");
        let known = mirror.get(&service).unwrap();
        assert_eq!(known.stored, None);
        assert_eq!(known.adoption(Moment::ZERO).version, Version::new(0, 3));
        // Whoever put it back did so at a lower version: it is what is there now.
        mirror.learn(Stored::Record(record(1, 0)), Moment::ZERO);
        let known = mirror.get(&service).unwrap();
        assert_eq!(known.record().unwrap().state.version, Version::new(0, 1));
        assert!(known.is_behind());
        // And it is followed from there.
        mirror.learn(Stored::Record(record(2, 0)), Moment::ZERO);
        let known = mirror.get(&service).unwrap();
        assert_eq!(known.record().unwrap().state.version, Version::new(0, 2));
    }

    #[test]
    fn a_store_that_goes_back_is_learnt_anew() {
        let mirror = Mirror::default();
        let service = ServiceName::new("a").unwrap();
        mirror.learn(Stored::Record(record(3, 2)), Moment::ZERO);
        assert!(!mirror.goes_back(&Stored::Record(record(3, 2))));
        let older = Stored::Record(record(3, 1));
        assert!(mirror.goes_back(&older));
        mirror.learn(older, Moment::ZERO);
        assert_eq!(mirror.get(&service).unwrap().record().unwrap().override_.version.counter, 1);
        assert_eq!(mirror.take_lost(&service).unwrap().override_.version.counter, 2);
        assert_eq!(mirror.take_lost(&service), None);
    }

    #[test]
    fn tombstones_are_forgotten_once_they_are_old() {
        let mirror = Mirror::default();
        let service = ServiceName::new("a").unwrap();
        let minute = Duration::from_secs(60);
        let tombstone = Tombstone::of(&record(3, 1), Timestamp::EPOCH);
        mirror.learn(Stored::Tombstone(tombstone), Moment::ZERO);
        let nearly = Moment::ZERO + Duration::from_secs(59);
        assert!(!mirror.has_tombstones(minute, nearly));
        mirror.forget_tombstones(minute, nearly);
        assert!(mirror.get(&service).is_some());
        let old = Moment::ZERO + minute;
        assert!(mirror.has_tombstones(minute, old));
        mirror.forget_tombstones(minute, old);
        assert!(mirror.get(&service).is_none());
        mirror.learn(Stored::Record(record(1, 0)), Moment::ZERO);
        mirror.forget_tombstones(Duration::ZERO, old);
        assert!(mirror.get(&service).is_some(), "no tombstone");
    }

    #[test]
    fn the_time_since_the_record_was_read_counts() {
        let mirror = Mirror::default();
        let mut stored = record(1, 0);
        stored.age = Duration::from_secs(2);
        mirror.learn(Stored::Record(stored), Moment::from_nanos(1_000_000_000));
        let known = mirror.get(&ServiceName::new("a").unwrap()).unwrap();
        let adoption = known.adoption(Moment::from_nanos(4_000_000_000));
        assert_eq!(adoption.elapsed, Duration::from_secs(5));
    }
}
