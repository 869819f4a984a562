//! What a call costs whose breaker has a store behind it.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use tower_breaker::{
    Breaker, Registry, Settings, SlidingWindow,
    store::{
        HistoryStore, StateStore,
        faulty::{Faults, FaultyStore, Operation},
        sql::Durability,
    },
};

use crate::{Result, databases, report::Report};

const BATCH: u32 = 5_000;
const ROUNDS: u32 = 400;

/// Slow calls count; nothing here is slow, and failures open nothing.
pub(crate) fn settings() -> Settings {
    Settings::builder()
        .failure_threshold(None)
        .slow_call_rate_threshold(1.0)
        .slow_call_duration_threshold(Duration::from_secs(1))
        .sliding_window(SlidingWindow::time(Duration::from_secs(10)))
        .build()
        .expect("valid settings")
}

pub(crate) async fn measure(report: &mut Report, postgres: Option<&str>) -> Result<()> {
    let file = databases::Sqlite::new()?;
    let store = file.store(Durability::ProcessCrash).await?;
    with("SQLite", report, store).await?;
    if let Some(url) = postgres {
        let (store, _) = databases::postgres(url).await?;
        with("Postgres", report, store).await?;
    }
    Ok(())
}

async fn with<S: StateStore + HistoryStore>(
    name: &str,
    report: &mut Report,
    store: S,
) -> Result<()> {
    let alone = Breaker::builder("alone").settings(settings()).build()?;
    let faults = Faults::new();
    let store = Arc::new(FaultyStore::new(store, &faults));
    let registry = Registry::builder().stores(store).defaults(settings()).start().await?;
    let remembered = registry.breaker("remembered")?;

    let before: Vec<u64> = Operation::ALL.iter().map(|&it| faults.calls(it)).collect();
    let started = Instant::now();
    let (without, with) = compare(&alone, &remembered, succeed);
    let seconds = started.elapsed().as_secs_f64();
    let commands: Vec<_> = std::iter::zip(Operation::ALL, before)
        .map(|(operation, before)| (operation, faults.calls(*operation) - before))
        .filter(|&(_, calls)| calls > 0)
        .collect();
    let calls = u64::from(BATCH) * u64::from(ROUNDS);
    report.row(
        format!("closed call, {name} and journal attached"),
        format!(
            "{with:.1} ns, without {without:.1} ns; {calls} calls in {seconds:.1} s made the \
                 store commands {commands:?}"
        ),
    );
    report.at_most(format!("closed call with {name}: ns more than without"), with - without, 15.0);
    // The journal writes what it counted once a second, however many calls there were, and the
    // hints of Postgres have a poll behind them.
    let of_calls: u64 = commands
        .iter()
        .filter(|(operation, _)| {
            matches!(operation, Operation::CompareAndSwap | Operation::Append | Operation::Load)
        })
        .map(|&(_, calls)| calls)
        .sum();
    report.at_most(format!("store commands of closed calls with {name}"), of_calls as f64, 0.0);

    let (without, with) = compare(&alone, &remembered, |breaker| {
        if let Ok(permit) = breaker.try_acquire() {
            permit.failure();
        }
    });
    report.row(
        format!("failing call, {name} and journal attached"),
        format!("{with:.1} ns, without {without:.1} ns"),
    );
    report.at_most(
        format!("failing call with {name}: ns more than without"),
        with - without,
        250.0,
    );
    registry.shutdown(Duration::from_secs(30)).await;
    Ok(())
}

pub(crate) fn succeed(breaker: &Breaker) {
    if let Ok(permit) = breaker.try_acquire() {
        permit.success();
    }
}

/// The fastest round of each, in nanoseconds a call; rounds alternate, so that a machine that changes
/// its speed changes it for both.
pub(crate) fn compare(one: &Breaker, two: &Breaker, call: impl Fn(&Breaker)) -> (f64, f64) {
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        best.0 = best.0.min(batch(one, &call));
        best.1 = best.1.min(batch(two, &call));
    }
    best
}

fn batch(breaker: &Breaker, call: &impl Fn(&Breaker)) -> f64 {
    let started = Instant::now();
    for _ in 0..BATCH {
        call(black_box(breaker));
    }
    started.elapsed().as_nanos() as f64 / f64::from(BATCH)
}
