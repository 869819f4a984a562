//! What a call pays for a fleet, beside one that asks Redis.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tower_breaker::{
    Breaker, Registry,
    store::{TieredStore, redis::RedisStore},
};

use super::servers::{Servers, connection, prefix};
use crate::{
    Result,
    calls::{compare, settings, succeed},
    databases,
    report::{Report, quantile},
};

/// How often the breaker that asks Redis is asked.
const ASKED: usize = 20_000;
/// How long the servers are watched with calls, and without: as long as what comes most seldom takes
/// to come again.
const WATCHED: Duration = Duration::from_secs(30);
/// After how long what it took to start is counted by Postgres too.
const SETTLED: Duration = Duration::from_secs(12);
/// How many commands of those that come at intervals may fall into one time and not the other: the
/// ten seconds that Postgres may be late, in which it is asked once a second.
const SHIFTED: f64 = 12.0;

/// What a breaker in Redis asks before each call: whether the circuit is open, and until when.
const ADMIT: &str = "
    local state = redis.call('HMGET', KEYS[1], 'state', 'until')
    if state[1] ~= 'open' then return 1 end
    return redis.call('TIME')[1] >= state[2] and 1 or 0";

pub(crate) async fn measure(report: &mut Report, postgres: &str, redis: &str) -> Result<()> {
    let alone = Breaker::builder("alone").settings(settings()).build()?;
    let (durable, url) = databases::postgres(postgres).await?;
    let durable = Arc::new(durable);
    let cache = RedisStore::builder(redis).prefix(prefix("calls")).connect().await?;
    let tiers = TieredStore::new(Arc::new(cache), Arc::clone(&durable));
    let builder = Registry::builder().tiered(&tiers).fleet_store(Arc::new(tiers.clone()));
    let registry = builder.history(durable).defaults(settings()).start().await?;
    let shared = registry.breaker("shared")?;

    let (without, with) = compare(&alone, &shared, succeed);
    report.at_most("closed call with Redis + Postgres: ns more than without", with - without, 15.0);
    registry.shutdown(Duration::from_secs(30)).await;

    let mut asks = connection(redis).await?;
    let script = redis::Script::new(ADMIT);
    let key = prefix("asked");
    let mut times = Vec::new();
    for _ in 0..ASKED {
        let started = Instant::now();
        let admitted: bool = script.key(&key).invoke_async(&mut asks).await?;
        times.push(started.elapsed().as_secs_f64() * 1e6);
        assert!(admitted, "nothing opened it");
    }
    report.row(
        "closed call, Redis + Postgres attached",
        format!(
            "{with:.1} ns, without {without:.1} ns; one that asks Redis {:.0} µs (p50), {:.0} µs (p99)",
            quantile(&mut times, 0.5),
            quantile(&mut times, 0.99)
        ),
    );
    commands(report, postgres, redis, &url).await
}

/// Counts what the servers see of closed calls. Without a history, which is written once a second.
async fn commands(report: &mut Report, postgres: &str, redis: &str, url: &str) -> Result<()> {
    let cache = RedisStore::builder(redis).prefix(prefix("counted")).connect().await?;
    let durable = tower_breaker::store::sql::SqlStore::connect(url).await?;
    let tiers = TieredStore::new(Arc::new(cache), Arc::new(durable));
    let registry = Registry::builder().tiered(&tiers).defaults(settings()).start().await?;
    let breaker = registry.breaker("counted")?;
    let mut servers = Servers::connect(redis, postgres, url).await?;
    tokio::time::sleep(SETTLED).await;

    let before = servers.commands().await?;
    tokio::time::sleep(WATCHED).await;
    let idle = servers.commands().await?.since(before);

    let before = servers.commands().await?;
    let until = Instant::now() + WATCHED;
    let calling = tokio::task::spawn_blocking(move || {
        let mut calls = 0_u64;
        while Instant::now() < until {
            for _ in 0..1000 {
                succeed(&breaker);
            }
            calls += 1000;
        }
        calls
    });
    let calls = calling.await?;
    let busy = servers.commands().await?.since(before);
    report.row(
        "commands at the servers, Redis + Postgres attached",
        format!(
            "{calls} closed calls in {WATCHED:?}: Redis {}, Postgres {}; none in {WATCHED:?}: Redis \
             {}, Postgres {}",
            busy.redis, busy.postgres, idle.redis, idle.postgres
        ),
    );
    for (name, busy, idle) in
        [("Redis", busy.redis, idle.redis), ("Postgres", busy.postgres, idle.postgres)]
    {
        let more = busy as f64 - idle as f64;
        report.at_most(
            format!("commands of closed calls at {name}, over those of none"),
            more,
            SHIFTED,
        );
    }
    registry.shutdown(Duration::from_secs(30)).await;
    Ok(())
}
