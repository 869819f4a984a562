//! Two instances of a program that share a Postgres database: what one opens, the other opens.
//!
//! ```text
//! TOWER_BREAKER_POSTGRES_URL=postgres://user:password@host/database \
//!     cargo run --example postgres --features postgres
//! ```

#![allow(clippy::disallowed_methods, reason = "it shows how long things take")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tower_breaker::{
    Registry, Settings, State,
    error::BoxError,
    store::{EventQuery, RunId, sql::SqlStore},
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let url = std::env::var("TOWER_BREAKER_POSTGRES_URL").map_err(|_| {
        "set TOWER_BREAKER_POSTGRES_URL to the URL of a Postgres database; scripts/test starts one"
    })?;
    // A name of its own, so that it can be run again and beside others.
    let service = format!("example-{}", RunId::random());

    let one = instance(&url).await?;
    let two = instance(&url).await?;
    let (here, there) = (one.breaker(&service)?, two.breaker(&service)?);

    here.try_acquire()?.failure();
    let opened = Instant::now();
    wait_for(|| there.state() == State::Open).await?;
    println!("one opened {service}; two rejects after {:.1?}", opened.elapsed());
    assert!(there.try_acquire().is_err());

    two.reset(&service)?;
    wait_for(|| here.state() == State::Closed).await?;
    println!("two reset it; one admits calls again");

    one.shutdown(Duration::from_secs(5)).await;
    two.shutdown(Duration::from_secs(5)).await;
    let history = one.events(&EventQuery::of(here.service().clone())).await?.items;
    for event in &history {
        println!(
            "{}  {:<14}  {}",
            event.at,
            event.kind.as_str(),
            event.reason.as_deref().unwrap_or("")
        );
    }
    assert!(history.len() >= 2);
    Ok(())
}

async fn instance(url: &str) -> Result<Registry, BoxError> {
    let store = SqlStore::builder(url).migrate(true).connect().await?;
    let settings = Settings::builder().failure_threshold(1).build()?;
    Ok(Registry::builder().stores(Arc::new(store)).defaults(settings).start().await?)
}

async fn wait_for(so: impl Fn() -> bool) -> Result<(), BoxError> {
    for _ in 0..500 {
        if so() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("the other instance did not hear of it within 5 s".into())
}
