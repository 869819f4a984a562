//! What the servers see of a large fleet while nothing happens.

use std::{sync::Arc, time::Duration};

use tower_breaker::{
    Registry, Settings,
    store::{TieredStore, redis::RedisStore, sql::SqlStore},
};

use super::servers::{Servers, prefix};
use crate::{Result, databases, report::Report};

/// Those of this benchmark share a process; each has its own connections.
const REGISTRIES: usize = 50;
const CIRCUITS: usize = 200;
/// Twice as long as what comes most seldom.
const WATCHED: Duration = Duration::from_secs(60);
/// What the defaults of the builders come to.
const POLL: f64 = 5.0;
const PING: f64 = 5.0;
const HEARTBEAT: f64 = 5.0;
const POSTGRES_POLL: f64 = 1.0;
/// How often old tombstones are looked for, and up to how many commands that is on a tier: both are
/// read and compared before.
const SWEEP: (f64, f64) = (30.0, 5.0);

pub(crate) async fn measure(report: &mut Report, postgres: &str, redis: &str) -> Result<()> {
    let (first, url) = databases::postgres(postgres).await?;
    drop(first);
    let prefix = prefix("idle");
    let settings = Settings::builder().failure_threshold(1).build()?;
    let mut registries = Vec::new();
    for _ in 0..REGISTRIES {
        let cache = RedisStore::builder(redis).prefix(&prefix).connect().await?;
        // The server has 200 connections; each store has one more that listens.
        let durable = SqlStore::builder(&url).max_connections(1).connect().await?;
        let tiers = TieredStore::new(Arc::new(cache), Arc::new(durable));
        let fleet = Arc::new(tiers.clone());
        let builder = Registry::builder().tiered(&tiers).fleet_store(fleet);
        let registry = builder.defaults(settings.clone()).start().await?;
        for number in 0..CIRCUITS {
            registry.breaker(format!("circuit-{number}"))?;
        }
        registries.push(registry);
    }
    // Each circuit has a record that all know.
    for number in 0..CIRCUITS {
        let name = format!("circuit-{number}");
        registries[0].breaker(&name)?.try_acquire()?.failure();
        registries[0].reset(&name)?;
    }
    for registry in &registries {
        registry.flush(Duration::from_secs(30)).await;
    }
    let mut servers = Servers::connect(redis, postgres, &url).await?;
    // Postgres has counted what came before.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let before = servers.commands().await?;
    tokio::time::sleep(WATCHED).await;
    let seen = servers.commands().await?.since(before);
    let rate = |commands: u64| commands as f64 / WATCHED.as_secs_f64();
    let each = REGISTRIES as f64;
    let both = 1.0 / POLL + 1.0 / HEARTBEAT + SWEEP.1 / SWEEP.0;
    let redis_allowed = each * (both + 1.0 / PING);
    let postgres_allowed = each * (both + 1.0 / POSTGRES_POLL);
    report.row(
        format!("idle fleet, {REGISTRIES} registries × {CIRCUITS} circuits"),
        format!(
            "Redis {:.1} commands a second (poll, heartbeat, ping and sweep come to \
             {redis_allowed:.0}), Postgres {:.1} (polls, heartbeat and sweep: {postgres_allowed:.0})",
            rate(seen.redis),
            rate(seen.postgres)
        ),
    );
    for (name, seen, allowed) in
        [("Redis", seen.redis, redis_allowed), ("Postgres", seen.postgres, postgres_allowed)]
    {
        report.at_most(format!("idle fleet, {name}: commands a second"), rate(seen), allowed * 1.1);
    }
    for registry in registries {
        registry.shutdown(Duration::from_secs(30)).await;
    }
    Ok(())
}
