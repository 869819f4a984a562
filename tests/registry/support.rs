//! Registries that share a store, as processes do, on tokio's paused time.

use std::{sync::Arc, time::Duration};

use tower_breaker::{
    Breaker, Outcome, Permit, Registry, Settings, State,
    breaker::{Clock, clock::TokioClock},
    circuit::{Moment, SettingsBuilder},
    registry::RegistryBuilder,
    store::{EventKind, EventQuery, EventRecord, HistoryStore, MemoryStore, StateStore},
};

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The paused time from now on.
pub(crate) fn stopwatch() -> impl Fn() -> Duration {
    let clock = TokioClock::new();
    move || Clock::now(&clock).since(Moment::ZERO)
}

/// Two failures open for a minute, one good probe closes.
pub(crate) fn settings() -> SettingsBuilder {
    Settings::builder()
        .failure_threshold(2)
        .recovery_timeout(secs(60))
        .permitted_calls_in_half_open(1)
        .jitter(0.0)
}

pub(crate) fn memory() -> Arc<MemoryStore> {
    // Ages follow the paused time.
    let clock = TokioClock::new();
    Arc::new(
        MemoryStore::builder().clock(move || tower_breaker::breaker::Clock::wall(&clock)).build(),
    )
}

pub(crate) fn builder<S: StateStore + HistoryStore>(store: &Arc<S>) -> RegistryBuilder {
    Registry::builder()
        .stores(Arc::clone(store))
        .defaults(settings().build().expect("valid settings"))
        .clock(TokioClock::new())
}

pub(crate) async fn start<S: StateStore + HistoryStore>(store: &Arc<S>) -> Registry {
    builder(store).start().await.expect("a registry")
}

pub(crate) fn fail(breaker: &Breaker, calls: u32) {
    for _ in 0..calls {
        breaker.try_acquire().expect("admitted").record(Outcome::FAILURE);
    }
}

pub(crate) fn succeed(breaker: &Breaker, calls: u32) {
    for _ in 0..calls {
        breaker.try_acquire().expect("admitted").record(Outcome::SUCCESS);
    }
}

/// Asks until the circuit has leave to probe.
#[track_caller]
pub(crate) fn probe(breaker: &Breaker) -> impl Future<Output = Permit> {
    let (breaker, place) = (breaker.clone(), std::panic::Location::caller());
    async move {
        for _ in 0..1000 {
            match breaker.try_acquire() {
                Ok(permit) => return permit,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        panic!("no leave to probe, asked for at {place}");
    }
}

/// Waits, on paused time, until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, so: impl Fn() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        for round in 1..1000 {
            if so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(round)).await;
        }
        panic!("{what}, waited for at {place}, did not come about");
    }
}

pub(crate) async fn reaches(breaker: &Breaker, state: State) {
    eventually(state.as_str(), || breaker.state() == state).await;
}

/// Waits until the store has this state.
pub(crate) async fn stored(registry: &Registry, service: &str, state: State) {
    eventually(&format!("{service} stored as {state}"), || {
        registry.stored(service).is_some_and(|stored| stored.state == state)
    })
    .await;
}

/// The state changes of a circuit that were committed, in their order.
pub(crate) async fn history(registry: &Registry, service: &str) -> Vec<EventRecord> {
    let mut query = EventQuery::all();
    query.kinds = vec![EventKind::StateChange];
    let page = registry.events(&query).await.expect("a history");
    page.items.into_iter().filter(|event| event.service.as_str() == service).collect()
}
