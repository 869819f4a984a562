//! What an earlier run left, and what this one leaves.

use std::{sync::Arc, time::Duration};

use tower_breaker::{
    Breaker, Registry, Settings, State,
    error::BoxError,
    store::{EventKind, EventQuery, HistoryStore, StateStore},
};

/// A service that nobody calls any more: its circuit is open when the program ends.
pub(crate) const ARCHIVE: &str = "archive";

/// The store: a file that the next run finds again, or memory that it does not.
#[cfg(feature = "sqlite")]
pub(crate) async fn store() -> Result<Arc<impl StateStore + HistoryStore>, BoxError> {
    use tower_breaker::store::sql::SqlStore;

    let file = std::env::temp_dir().join("tower-breaker-quickstart.db");
    println!("\nCircuits and their history are in {}.", file.display());
    let url = format!("sqlite://{}?mode=rwc", file.display());
    Ok(Arc::new(SqlStore::builder(url).migrate(true).connect().await?))
}

#[cfg(not(feature = "sqlite"))]
#[allow(clippy::unused_async, reason = "as with a database")]
pub(crate) async fn store() -> Result<Arc<impl StateStore + HistoryStore>, BoxError> {
    println!("\nCircuits and their history are in memory. With --features sqlite the next run");
    println!("finds them again.");
    Ok(Arc::new(tower_breaker::store::MemoryStore::new()))
}

/// An archive is given up for ten minutes after five failures.
pub(crate) fn settings_for(service: &str) -> Option<Arc<Settings>> {
    let settings = Settings::builder().recovery_timeout(Duration::from_secs(600)).jitter(0.0);
    (service == ARCHIVE).then(|| settings.build().ok().map(Arc::new)).flatten()
}

/// Says what was found, and shows that it holds.
pub(crate) fn show_recovered(registry: &Registry) -> Result<(), BoxError> {
    if registry.recovered().is_empty() {
        println!("There is nothing yet: this is the first run.");
        return Ok(());
    }
    println!("Recovered from an earlier run:");
    for circuit in registry.recovered() {
        let left = circuit.remaining.map_or(String::new(), |left| {
            format!(", for another {}", humantime::format_duration(whole_seconds(left)))
        });
        let why = circuit.reason.as_deref().unwrap_or("no reason was recorded");
        println!("  {:<10} {}{left}: {why}", circuit.service.as_str(), circuit.state);
        if circuit.state == State::Open && circuit.remaining > Some(Duration::ZERO) {
            let breaker = registry.breaker(&circuit.service)?;
            assert!(breaker.try_acquire().is_err(), "an open circuit rejects from the first call");
        }
    }
    Ok(())
}

/// Fails calls until the circuit is open: it is what the next run finds.
pub(crate) fn give_up(archive: &Breaker) {
    while let Ok(permit) = archive.try_acquire() {
        permit.failure();
    }
}

/// Prints the last state changes of all runs, and returns how many were found.
pub(crate) async fn show_history(registry: &Registry) -> Result<usize, BoxError> {
    let mut query = EventQuery::all();
    query.kinds = vec![EventKind::StateChange];
    query.newest_first = true;
    query.limit = 12;
    let changes = registry.events(&query).await?.items;
    println!("The last state changes, of this run (*) and of earlier ones:");
    for event in changes.iter().rev() {
        let state = |state: Option<State>| state.map_or("", State::as_str);
        let mine = if event.id.run == registry.run_id() { '*' } else { ' ' };
        println!(
            "  {} {mine} {:<10} {:>9} → {:<9}  {}",
            event.at,
            event.service.as_str(),
            state(event.from),
            state(event.to),
            event.data.get("detail").and_then(|detail| detail.as_str()).unwrap_or_default(),
        );
    }
    println!();
    Ok(changes.len())
}

fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}
