//! How long it takes from the call that trips a circuit to rejection everywhere else.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tower_breaker::{
    Breaker, Registry, Settings, State,
    breaker::EventKind,
    store::{
        StateStore, TieredStore,
        redis::RedisStore,
        sql::{Durability, SqlStore},
    },
};

use super::servers::prefix;
use crate::{
    Result, databases,
    report::{Report, quantile},
};

const ROUNDS: usize = 500;
/// The first ones are over connections that are new.
const WARM_UP: usize = 20;
/// How many others follow. Those of this benchmark share a process, and each has its own connection.
const OTHERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn measure(report: &mut Report, postgres: &str, redis: &str) -> Result<()> {
    let prefix = prefix("following");
    let mut stores = Vec::new();
    for _ in 0..=OTHERS {
        stores.push(RedisStore::builder(redis).prefix(&prefix).connect().await?);
    }
    with("Redis", report, stores, (1.5, 5.0)).await?;

    let (first, url) = databases::postgres(postgres).await?;
    with("Postgres", report, others(first, &url).await?, (4.0, 15.0)).await?;

    let file = databases::Sqlite::new()?;
    let mut stores = Vec::new();
    for _ in 0..=OTHERS {
        stores.push(file.store(Durability::ProcessCrash).await?);
    }
    with("SQLite", report, stores, (10.0, 25.0)).await?;

    let (first, url) = databases::postgres(postgres).await?;
    let mut stores = Vec::new();
    for durable in others(first, &url).await? {
        let cache = RedisStore::builder(redis).prefix(format!("{prefix}-tiers")).connect().await?;
        stores.push(TieredStore::new(Arc::new(cache), Arc::new(durable)));
    }
    let (p50, p99) = follow(stores).await?;
    report.row("trip to rejection elsewhere, Redis + Postgres", figures(p50, p99));
    Ok(())
}

async fn others(first: SqlStore, url: &str) -> Result<Vec<SqlStore>> {
    let mut stores = vec![first];
    for _ in 0..OTHERS {
        stores.push(SqlStore::connect(url).await?);
    }
    Ok(stores)
}

async fn with<S: StateStore>(
    name: &str,
    report: &mut Report,
    stores: Vec<S>,
    bounds: (f64, f64),
) -> Result<()> {
    let (p50, p99) = follow(stores).await?;
    report.row(format!("trip to rejection elsewhere, {name}"), figures(p50, p99));
    report.at_most(format!("trip to rejection elsewhere, {name}: p50 in ms"), p50, bounds.0);
    report.at_most(format!("trip to rejection elsewhere, {name}: p99 in ms"), p99, bounds.1);
    Ok(())
}

fn figures(p50: f64, p99: f64) -> String {
    format!("p50 {p50:.2} ms, p99 {p99:.2} ms, until the last of {OTHERS} rejects")
}

/// Trips a circuit at the first one, again and again. Returns p50 and p99, in milliseconds.
async fn follow<S: StateStore>(stores: Vec<S>) -> Result<(f64, f64)> {
    let settings = Settings::builder().failure_threshold(1).build()?;
    let (rejected, mut rejections) = mpsc::unbounded_channel();
    let mut registries = Vec::new();
    let mut breakers = Vec::new();
    for (number, store) in stores.into_iter().enumerate() {
        let builder = Registry::builder().store(Arc::new(store)).defaults(settings.clone());
        let registry = builder.start().await?;
        let breaker = registry.breaker("a")?;
        if number > 0 {
            tokio::spawn(reject(breaker.clone(), rejected.clone()));
        }
        registries.push(registry);
        breakers.push(breaker);
    }
    let mut times = Vec::new();
    for round in 0..WARM_UP + ROUNDS {
        let permit = breakers[0].try_acquire()?;
        let tripped = Instant::now();
        permit.failure();
        let mut last = Duration::ZERO;
        for _ in 0..OTHERS {
            let at = tokio::time::timeout(PATIENCE, rejections.recv()).await?;
            last = last.max(at.ok_or("nobody follows")?.duration_since(tripped));
        }
        if round >= WARM_UP {
            times.push(last.as_secs_f64() * 1e3);
        }
        registries[0].reset("a")?;
        for breaker in &breakers {
            let closed = async {
                while breaker.state() != State::Closed {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(PATIENCE, closed).await?;
        }
        for registry in &registries {
            registry.flush(PATIENCE).await;
        }
    }
    for registry in registries {
        registry.shutdown(PATIENCE).await;
    }
    Ok((quantile(&mut times, 0.5), quantile(&mut times, 0.99)))
}

/// Tells when the circuit rejected a call, each time that it opened.
async fn reject(breaker: Breaker, rejected: mpsc::UnboundedSender<Instant>) {
    let mut events = breaker.subscribe();
    while let Ok(event) = events.recv().await {
        let opened = matches!(event.kind, EventKind::Transition(it) if it.to == State::Open);
        if opened && breaker.try_acquire().is_err() && rejected.send(Instant::now()).is_err() {
            break;
        }
    }
}
