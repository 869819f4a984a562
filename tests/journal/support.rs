//! A journal that runs, over a store that fails as it is told to.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, task::JoinHandle};
use tower_breaker::{
    Breaker, Settings,
    breaker::{Clock, clock::TokioClock},
    circuit::Moment,
    journal::{Journal, JournalOptions, Unwritten},
    store::{
        EventQuery, EventRecord, HistoryStore, MemoryStore, MetricBucket, MetricQuery, Resolution,
        RunId,
        faulty::{Faults, FaultyStore},
    },
};

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Measures the time of the runtime.
pub(crate) struct Stopwatch(TokioClock);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(TokioClock::new())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.now().since(Moment::ZERO)
    }
}

/// Everything that a test looks at.
pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) clock: TokioClock,
    stop: oneshot::Sender<Duration>,
    writing: JoinHandle<Unwritten>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(options())
    }

    pub(crate) fn with(options: JournalOptions) -> Self {
        Self::over(MemoryStore::new(), options)
    }

    /// One more run over the same store.
    pub(crate) fn over(store: MemoryStore, options: JournalOptions) -> Self {
        let faults = Faults::new();
        let faulty = Arc::new(FaultyStore::new(store.clone(), &faults));
        Self::writing_to(faulty, store, faults, options)
    }

    pub(crate) fn writing_to(
        history: Arc<dyn HistoryStore>,
        store: MemoryStore,
        faults: Faults,
        options: JournalOptions,
    ) -> Self {
        let clock = TokioClock::new();
        let (journal, writer) =
            Journal::new(options.clock(clock.clone()), history, RunId::random()).unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { stopped.await.unwrap_or(Duration::ZERO) };
        let writing = tokio::spawn(writer.run(shutdown));
        Self { store, faults, journal, clock, stop, writing }
    }

    /// A breaker that the journal is told of and counts, and that does not open.
    pub(crate) fn breaker(&self, service: &str) -> Breaker {
        self.breaker_with(service, lenient())
    }

    pub(crate) fn breaker_with(&self, service: &str, settings: Settings) -> Breaker {
        let breaker = Breaker::builder(service)
            .settings(settings)
            .clock(self.clock.clone())
            .observer(self.journal.observer())
            .build()
            .unwrap();
        assert!(self.journal.watch(&breaker));
        breaker
    }

    pub(crate) async fn flush(&self) {
        let unwritten = self.journal.flush(secs(3600)).await;
        assert!(unwritten.is_nothing(), "{unwritten:?}");
    }

    pub(crate) async fn stop(self, within: Duration) -> Unwritten {
        self.stop.send(within).unwrap();
        self.writing.await.unwrap()
    }

    pub(crate) fn abort(self) {
        self.writing.abort();
    }

    pub(crate) async fn events(&self) -> Vec<EventRecord> {
        events(&self.store).await
    }

    pub(crate) async fn metrics(&self, resolution: Resolution) -> Vec<MetricBucket> {
        let mut query = MetricQuery::new(resolution);
        query.limit = 10_000;
        self.store.metrics(&query).await.unwrap().items
    }
}

/// All events in the order in which they were numbered.
pub(crate) async fn events(store: &MemoryStore) -> Vec<EventRecord> {
    let mut query = EventQuery::all();
    query.limit = 10_000;
    let mut all = Vec::new();
    loop {
        let page = store.events(&query).await.unwrap();
        all.extend(page.items);
        match page.next {
            Some(next) => query.page = Some(next),
            None => break,
        }
    }
    all.sort_by_key(|event| event.id);
    all
}

pub(crate) fn weight(events: &[EventRecord]) -> u64 {
    events.iter().map(|event| u64::from(event.weight)).sum()
}

/// Options that leave nothing to chance.
pub(crate) fn options() -> JournalOptions {
    JournalOptions::new().retention(None)
}

/// Settings under which failures do not open the circuit.
pub(crate) fn lenient() -> Settings {
    Settings::builder().failure_threshold(1_000_000).build().unwrap()
}

pub(crate) fn fail(breaker: &Breaker, count: u64) {
    for _ in 0..count {
        breaker.try_acquire().unwrap().failure();
    }
}
