//! How long it takes to commit a transition.

use std::time::Instant;

use sea_orm::sqlx::{self, postgres::PgPoolOptions};
use tower_breaker::{
    ServiceName,
    circuit::{State, Version},
    store::{
        ChangeId, CircuitRecord, EventId, EventKind, EventRecord, Expected, Lane, RunId,
        StateStore, Timestamp,
        sql::{Durability, SqlStore},
    },
};

use crate::{
    Result, databases, raw,
    report::{Report, quantile},
};

const COUNT: u64 = 3_000;

pub(crate) async fn measure(report: &mut Report, postgres: Option<&str>) -> Result<()> {
    for (durability, name, bound) in [
        (Durability::ProcessCrash, "SQLite", 150.0),
        (Durability::PowerLoss, "SQLite with power_loss", 600.0),
    ] {
        let file = databases::Sqlite::new()?;
        let store = file.store(durability).await?;
        // In a task, as the registry commits them.
        let mut times = tokio::spawn(commit(store, COUNT)).await??;
        let (p50, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
        report.row(format!("transition, {name}"), format!("p50 {p50:.0} µs, p99 {p99:.0} µs"));
        report.at_most(format!("transition, {name}: p50 in µs"), p50, bound);
    }
    if let Some(url) = postgres {
        let (store, url) = databases::postgres(url).await?;
        let pool = PgPoolOptions::new().max_connections(1).connect(&url).await?;
        sqlx::query(raw::COUNTER).execute(&pool).await?;
        // In turns, so that a machine that changes its speed changes it for both.
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        let mut chain = Chain::new("a");
        for version in 0..COUNT {
            ours.push(chain.commit(&store).await?);
            bare.push(raw::transition(&pool, version).await?);
        }
        let (our_p50, our_p99) = (quantile(&mut ours, 0.5), quantile(&mut ours, 0.99));
        let (bare_p50, bare_p99) = (quantile(&mut bare, 0.5), quantile(&mut bare, 0.99));
        report.row(
            "transition, Postgres",
            format!(
                "p50 {our_p50:.0} µs, p99 {our_p99:.0} µs; the bare statement p50 {bare_p50:.0} µs, \
                 p99 {bare_p99:.0} µs"
            ),
        );
        report.at_most("transition, Postgres: p50 / the bare statement", our_p50 / bare_p50, 1.2);
    }
    Ok(())
}

async fn commit(store: SqlStore, count: u64) -> Result<Vec<f64>> {
    let mut chain = Chain::new("a");
    let mut times = Vec::new();
    for _ in 0..count {
        times.push(chain.commit(&store).await?);
    }
    Ok(times)
}

/// The transitions of one circuit, one after the other.
pub(crate) struct Chain {
    record: CircuitRecord,
    run: RunId,
}

impl Chain {
    pub(crate) fn new(service: &str) -> Self {
        let service = ServiceName::new(service).expect("a valid name");
        Self { record: CircuitRecord::new(service), run: RunId::random() }
    }

    /// Commits the next one. Returns how long it took, in microseconds.
    pub(crate) async fn commit(&mut self, store: &impl StateStore) -> Result<f64> {
        let version = self.record.state.version;
        let expected = match version.counter {
            0 => Expected::missing(Lane::State),
            _ => Expected::version(Lane::State, version),
        };
        let from = self.record.state.state;
        self.record.state.version = Version::new(0, version.counter + 1);
        self.record.state.change_id = ChangeId::random();
        self.record.state.state = if from == State::Open { State::Closed } else { State::Open };
        self.record.state.reason = Some("5 failures in a row (threshold 5)".to_owned());
        let id = EventId { run: self.run, sequence: version.counter };
        let service = self.record.service.clone();
        let mut event = EventRecord::new(id, service, Timestamp::EPOCH, EventKind::StateChange);
        (event.from, event.to) = (Some(from), Some(self.record.state.state));
        event.version = Some(self.record.state.version);
        let started = Instant::now();
        store.compare_and_swap(expected, &self.record, Some(&event)).await?;
        Ok(started.elapsed().as_secs_f64() * 1e6)
    }
}
