//! How many events the journal writes, what that does to transitions, and what its queue takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::sqlx::postgres::PgPoolOptions;
use tower_breaker::{
    Registry, Settings, SlidingWindow,
    journal::JournalOptions,
    store::sql::{Durability, SqlStore},
};

use crate::{
    Result, databases, raw,
    report::{Report, quantile},
    transitions::Chain,
};

const EVENTS: u64 = 300_000;

pub(crate) async fn measure(report: &mut Report, postgres: Option<&str>) -> Result<()> {
    let file = databases::Sqlite::new()?;
    let store = file.store(Durability::ProcessCrash).await?;
    let by_hand = databases::Sqlite::new()?;
    drop(by_hand.store(Durability::ProcessCrash).await?);
    let batch = 250;
    // Before and after, and the better of the two: the bar is the best that the machine does.
    let mut bar = raw::sqlite_events(&by_hand.path(), EVENTS, batch)?;
    let (rate, mut times) = run(store, batch, true).await?;
    let again = databases::Sqlite::new()?;
    drop(again.store(Durability::ProcessCrash).await?);
    bar = bar.max(raw::sqlite_events(&again.path(), EVENTS, batch)?);
    let (p50, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    report.row(
        "journal, SQLite, batches of 250",
        format!("{rate:.0} events/s to durable, by hand {bar:.0}"),
    );
    report.row(
        "transitions meanwhile, SQLite",
        format!("{} of them, p50 {p50:.0} µs, p99 {p99:.0} µs", times.len()),
    );
    report.at_least("journal, SQLite: events / by hand", rate / bar, 0.6);
    report.at_most("transitions while the journal writes, SQLite: p99 in ms", p99 / 1e3, 8.0);

    if let Some(url) = postgres {
        let (store, of_store) = databases::postgres(url).await?;
        let pool = PgPoolOptions::new().max_connections(1).connect(&of_store).await?;
        let batch = 1_000;
        // Before and after, as above.
        let mut bar = raw::postgres_events(&pool, EVENTS, batch).await?;
        let (rate, _) = run(store, batch, false).await?;
        let (again, url) = databases::postgres(url).await?;
        again.close().await?;
        let pool = PgPoolOptions::new().max_connections(1).connect(&url).await?;
        bar = bar.max(raw::postgres_events(&pool, EVENTS, batch).await?);
        report.row(
            "journal, Postgres, batches of 1,000",
            format!("{rate:.0} events/s to durable, by hand {bar:.0}"),
        );
        report.at_least("journal, Postgres: events / by hand", rate / bar, 0.6);
    }
    memory(report).await
}

/// Events a second from the failing call to the database, and the times of transitions meanwhile in
/// microseconds.
async fn run(store: SqlStore, batch: u64, with_transitions: bool) -> Result<(f64, Vec<f64>)> {
    let registry = registry(store.clone(), u32::try_from(batch)?).await?;
    let breaker = registry.breaker("remembered")?;
    let done = Arc::new(AtomicBool::new(false));
    let transitions = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let (mut chain, mut times) = (Chain::new("chain"), Vec::new());
            while with_transitions && !done.load(Ordering::Relaxed) {
                times.push(chain.commit(&store).await.map_err(|error| error.to_string())?);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok::<_, String>(times)
        }
    });
    let started = Instant::now();
    let mut sent = 0;
    while sent < EVENTS {
        let stats = registry.stats().journal.ok_or("there is no journal")?;
        // No more than the queue holds without sampling.
        if stats.waiting > 20_000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        for _ in 0..1_000 {
            breaker.try_acquire()?.failure();
        }
        sent += 1_000;
    }
    registry.flush(Duration::from_secs(120)).await;
    let took = started.elapsed().as_secs_f64();
    done.store(true, Ordering::Relaxed);
    let times = transitions.await??;
    let stats = registry.stats().journal.ok_or("there is no journal")?;
    if stats.written < EVENTS || stats.sampled > 0 || stats.dropped > 0 {
        return Err(format!("not all events were written one by one: {stats:?}").into());
    }
    registry.shutdown(Duration::from_secs(30)).await;
    Ok((EVENTS as f64 / took, times))
}

async fn registry(store: SqlStore, batch: u32) -> Result<Registry> {
    // Failures open nothing here.
    let settings = Settings::builder()
        .failure_threshold(None)
        .slow_call_rate_threshold(1.0)
        .slow_call_duration_threshold(Duration::from_secs(1))
        .sliding_window(SlidingWindow::time(Duration::from_secs(10)))
        .build()?;
    let options = JournalOptions::new().batch_size(batch).flush_interval(Duration::from_millis(10));
    let builder = Registry::builder().stores(Arc::new(store)).journal(options);
    Ok(builder.defaults(settings).start().await?)
}

/// A million events through the queue, after as many that warmed it up.
async fn memory(report: &mut Report) -> Result<()> {
    let file = databases::Sqlite::new()?;
    let registry = registry(file.store(Durability::ProcessCrash).await?, 250).await?;
    let breaker = registry.breaker("remembered")?;
    let mut resident = Vec::new();
    for _ in 0..2 {
        for _ in 0..1_000 {
            for _ in 0..1_000 {
                breaker.try_acquire()?.failure();
            }
            tokio::task::yield_now().await;
        }
        registry.flush(Duration::from_secs(120)).await;
        resident.push(resident_bytes()?);
    }
    registry.shutdown(Duration::from_secs(30)).await;
    let growth = (resident[1] - resident[0]) / (1024.0 * 1024.0);
    report.row(
        "a million events through the queue",
        format!("{growth:.2} MiB more resident after the second million"),
    );
    report.at_most("a million events more: MiB of growth", growth, 2.0);
    Ok(())
}

fn resident_bytes() -> Result<f64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let resident = pages.split(' ').nth(1).ok_or("statm has no second field")?;
    Ok(resident.parse::<f64>()? * 4096.0)
}
