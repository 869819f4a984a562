//! How soon a process knows what another one did to a SQLite file they share, and what looking for it
//! costs while nothing happens.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tower_breaker::{Breaker, Registry, Settings, State, store::sql::Durability};

use crate::{
    Result, databases,
    report::{Report, quantile},
};

const TRIPS: usize = 200;

/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(10);

pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    let file = databases::Sqlite::new()?;
    let settings = Settings::builder().failure_threshold(1).build()?;
    let mut registries = Vec::new();
    for _ in 0..2 {
        // Each with connections of its own, as in two processes.
        let store = Arc::new(file.store(Durability::ProcessCrash).await?);
        let builder = Registry::builder().stores(store).defaults(settings.clone());
        registries.push(builder.start().await?);
    }
    let [one, other] = [registries[0].breaker("shared")?, registries[1].breaker("shared")?];
    let mut times = Vec::new();
    for _ in 0..TRIPS {
        let started = Instant::now();
        one.try_acquire()?.failure();
        until(&other, State::Open).await?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        one.reset();
        until(&other, State::Closed).await?;
        // At another point of the interval each time.
        tokio::time::sleep(Duration::from_micros(times.len() as u64 * 97 % 10_000)).await;
    }
    let (p50, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    report.row(
        "from a failing call to rejection elsewhere, SQLite",
        format!("p50 {p50:.1} ms, p99 {p99:.1} ms"),
    );
    report.at_most("rejection elsewhere, SQLite: p50 in ms", p50, 10.0);
    report.at_most("rejection elsewhere, SQLite: p99 in ms", p99, 25.0);

    let before = processor_seconds()?;
    tokio::time::sleep(IDLE).await;
    // Both look.
    let percent = (processor_seconds()? - before) / IDLE.as_secs_f64() / 2.0 * 100.0;
    report.row(
        "a registry on SQLite while nothing happens",
        format!("{percent:.2} % of a core, over {} s", IDLE.as_secs()),
    );
    report.at_most("a registry while nothing happens, SQLite: % of a core", percent, 1.0);
    for registry in registries {
        registry.shutdown(Duration::from_secs(5)).await;
    }
    Ok(())
}

async fn until(breaker: &Breaker, state: State) -> Result<()> {
    let started = Instant::now();
    while breaker.state() != state {
        if started.elapsed() > Duration::from_secs(10) {
            return Err(format!("the other one is not {state} after 10 s").into());
        }
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    Ok(())
}

/// What this process used, in all its threads.
fn processor_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("stat has no name")?;
    let ticks: Vec<f64> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    // Linux counts a hundred a second.
    Ok(ticks.iter().sum::<f64>() / 100.0)
}
