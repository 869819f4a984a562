//! What the tests of this program have in common.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::BoxStream};
use tower_breaker::{
    ServiceName,
    circuit::{Override, State, Version},
    store::{
        ChangeHint, ChangeId, CircuitRecord, Committed, Expected, Lane, StateStore, StoreError,
        redis::RedisStore,
    },
};
use tracing_subscriber::{fmt::MakeWriter, util::SubscriberInitExt as _};

use crate::redis_servers::secs;

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::new(name).expect("a name")
}

pub(crate) fn open(name: &str, counter: u64) -> CircuitRecord {
    let mut record = CircuitRecord::new(service(name));
    record.state.version = Version::new(0, counter);
    record.state.change_id = ChangeId::random();
    record.state.state = State::Open;
    record.state.open_for = secs(30);
    record
}

pub(crate) fn forced_open(name: &str, counter: u64) -> CircuitRecord {
    let mut record = CircuitRecord::new(service(name));
    record.override_.version = Version::new(0, counter);
    record.override_.value = Some(Override::ForcedOpen);
    record
}

/// Writes one lane from whatever is there.
pub(crate) async fn write(
    store: &RedisStore,
    lane: Lane,
    next: &CircuitRecord,
) -> Result<Committed, StoreError> {
    let found = store.load(&next.service).await?;
    store.compare_and_swap(Expected::found(lane, found.as_ref()), next, None).await
}

/// The names of what `load_all` finds, sorted.
pub(crate) async fn names(store: &RedisStore) -> Vec<String> {
    let loaded = store.load_all(None).await.expect("load_all");
    let mut names: Vec<_> =
        loaded.stored.iter().map(|stored| stored.service().to_string()).collect();
    names.sort_unstable();
    names
}

/// Asks again until the answer is there: a real server is the other side.
pub(crate) async fn eventually<T, F: Future<Output = Result<T, E>>, E: Debug>(
    what: &str,
    ask: impl Fn() -> F,
) -> T {
    let mut last = None;
    for _ in 0..2_000 {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what} did not come in ten seconds: {last:?}");
}

/// How long something takes.
pub(crate) async fn timed<T>(doing: impl Future<Output = T>) -> (T, Duration) {
    #[expect(clippy::disallowed_methods, reason = "a real server is the other side")]
    let started = Instant::now();
    let done = doing.await;
    #[expect(clippy::disallowed_methods, reason = "a real server is the other side")]
    let took = started.elapsed();
    (done, took)
}

/// The next hint, which must come.
pub(crate) async fn hint(hints: &mut BoxStream<'static, ChangeHint>) -> ChangeHint {
    let next = tokio::time::timeout(secs(10), hints.next()).await;
    next.expect("a hint in time").expect("a stream does not end")
}

/// Waits for a hint, past others.
pub(crate) async fn hint_of(hints: &mut BoxStream<'static, ChangeHint>, wanted: &ChangeHint) {
    while hint(hints).await != *wanted {}
}

/// What is logged on this thread while the guard lives.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(log.clone());
        (log, subscriber.finish().set_default())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("the log")).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
