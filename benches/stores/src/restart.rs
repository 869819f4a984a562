//! How long a start takes with many circuits in the store.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tower_breaker::{Registry, State, store::sql::Durability};

use crate::{Result, databases, report::Report, transitions::Chain};

const SERVICES: usize = 10_000;

pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    let file = databases::Sqlite::new()?;
    let store = file.store(Durability::ProcessCrash).await?;
    for service in 0..SERVICES {
        Chain::new(&format!("service-{service}")).commit(&store).await?;
    }
    drop(store);
    let mut best = f64::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        let store = Arc::new(file.store(Durability::ProcessCrash).await?);
        let registry = Registry::builder().stores(store).start().await?;
        best = best.min(started.elapsed().as_secs_f64() * 1e3);
        let last = registry.breaker(format!("service-{}", SERVICES - 1))?;
        if registry.recovered().len() != SERVICES || last.state() != State::Open {
            return Err("not all circuits were recovered".into());
        }
        registry.shutdown(Duration::from_secs(5)).await;
    }
    report.row("start with 10,000 circuits, SQLite", format!("{best:.0} ms, connection included"));
    report.at_most("start with 10,000 circuits, SQLite: ms", best, 150.0);
    Ok(())
}
