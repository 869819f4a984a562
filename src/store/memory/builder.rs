//! How a store in memory is made.

use std::{fmt, sync::Arc, time::SystemTime};

use super::store::MemoryStore;
use crate::store::Timestamp;

/// A source of wall-clock time.
#[derive(Clone)]
pub(super) struct WallClock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl WallClock {
    pub(super) fn now(&self) -> Timestamp {
        (self.0)().into()
    }

    #[expect(clippy::disallowed_methods, reason = "the clock of a store that is given none")]
    fn system() -> Self {
        Self(Arc::new(SystemTime::now))
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}

/// Builds a [`MemoryStore`].
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryStoreBuilder {
    pub(super) max_events: usize,
    pub(super) max_buckets: usize,
    pub(super) max_findings: usize,
    pub(super) clock: WallClock,
}

impl Default for MemoryStoreBuilder {
    fn default() -> Self {
        Self {
            max_events: 100_000,
            max_buckets: 10_000,
            max_findings: 1_000,
            clock: WallClock::system(),
        }
    }
}

impl MemoryStoreBuilder {
    /// How many events are kept, 100,000 unless set. The oldest go first.
    pub fn max_events(mut self, max_events: usize) -> Self {
        self.max_events = max_events;
        self
    }

    /// How many metric buckets of each resolution are kept, 10,000 unless set. Those that begin
    /// first go first.
    pub fn max_buckets(mut self, max_buckets: usize) -> Self {
        self.max_buckets = max_buckets;
        self
    }

    /// How many patterns, how many alerts and how many silences are kept, 1,000 of each unless set.
    /// Alerts that have ended go first, then those that were raised longest ago.
    pub fn max_findings(mut self, max_findings: usize) -> Self {
        self.max_findings = max_findings;
        self
    }

    /// The clock that ages and the terms of leases are measured on: the system's wall clock unless
    /// set. It is read under a lock of the store and must not use the store. While it goes back,
    /// ages are zero and no lease runs out; no point in time lies before 1970.
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use std::time::Duration;
    /// use tower_breaker::{
    ///     breaker::clock::{Clock, ManualClock},
    ///     store::MemoryStore,
    /// };
    ///
    /// let clock = ManualClock::new();
    /// clock.advance(Duration::from_secs(86_400));
    /// let of_store = clock.clone();
    /// let store = MemoryStore::builder().clock(move || of_store.wall()).build();
    /// # }
    /// ```
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = WallClock(Arc::new(clock));
        self
    }

    /// An empty store.
    #[must_use]
    pub fn build(self) -> MemoryStore {
        MemoryStore::with(self)
    }
}
