//! One process of the fleet: a registry over the stores that all share, and a service that it calls.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tower_breaker::{
    Breaker, CallError, Registry, Settings, State,
    breaker::{Event, EventKind},
    circuit::{Origin, Override},
    error::BoxError,
    registry::{By, StoreHealth},
    store::{RunId, TieredStore, redis::RedisStore, sql::SqlStore},
};

use crate::upstream;

/// Holds a [`Worker`] in a process that is to be one.
pub(crate) const VARIABLE: &str = "FLEET_EXAMPLE_WORKER";
pub(crate) const SERVICE: &str = "payments";
/// How many probes a lease has.
pub(crate) const PERMITTED: u32 = 2;
const OPEN: Duration = Duration::from_secs(1);
const TERM: Duration = Duration::from_secs(2);
/// How many calls a process makes at the same time, and how long each of them pauses after one.
const CALLERS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(5);

/// What a process has to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) upstream: SocketAddr,
    pub(crate) stores: Stores,
}

/// Where the circuits are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Stores {
    RedisAndPostgres { redis: String, postgres: String },
    Sqlite { file: String },
}

/// What a process tells of itself: a line of JSON on its output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Fact {
    Ready { run: RunId },
    Is { state: State, reopens: u32, by_itself: bool, reason: String },
    Rejects { state: State },
    Called { rejected: Option<State> },
    Health { registry: bool, cache: bool, durable: bool },
}

/// What a process is told to do: a word on its input.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Call,
    ForceOpen,
    Lift,
    Quit,
}

impl Order {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::ForceOpen => "force-open",
            Self::Lift => "lift",
            Self::Quit => "quit",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Call, Self::ForceOpen, Self::Lift, Self::Quit]
            .into_iter()
            .find(|order| order.word() == word)
    }
}

fn settings() -> Result<Settings, BoxError> {
    let settings = Settings::builder()
        .failure_threshold(3)
        .recovery_timeout(OPEN)
        .max_recovery_timeout(OPEN)
        .jitter(0.0)
        .permitted_calls_in_half_open(PERMITTED);
    Ok(settings.build()?)
}

/// A registry over Redis and Postgres: what the processes decide is read from the one as soon as it
/// is decided, and outlives it in the other, which keeps the history too.
async fn over_two_tiers(
    redis: &str,
    postgres: &str,
    observer: impl Fn(&Event) + Send + Sync + 'static,
) -> Result<(Registry, TieredStore), BoxError> {
    // Lazily: a process has to start while Redis is down.
    let cache = Arc::new(RedisStore::builder(redis).connect_lazy()?);
    let durable = Arc::new(SqlStore::builder(postgres).migrate(true).connect().await?);
    let tiered = TieredStore::new(cache, Arc::clone(&durable));
    let registry = Registry::builder()
        .tiered(&tiered)
        .history(durable)
        .defaults(settings()?)
        .lease_term(TERM)
        .poll_interval(Duration::from_millis(500))
        .observer(observer)
        .start()
        .await?;
    Ok((registry, tiered))
}

/// The same over one file.
async fn over_a_file(
    file: &str,
    observer: impl Fn(&Event) + Send + Sync + 'static,
) -> Result<Registry, BoxError> {
    let store = Arc::new(SqlStore::builder(file).migrate(true).connect().await?);
    let builder = Registry::builder().stores(store).defaults(settings()?).lease_term(TERM);
    Ok(builder.observer(observer).start().await?)
}

/// Calls the service until it is told to stop, or nobody is there to tell it.
pub(crate) async fn run(worker: Worker) -> Result<(), BoxError> {
    let (registry, tiered) = match &worker.stores {
        Stores::RedisAndPostgres { redis, postgres } => {
            let (registry, tiered) = over_two_tiers(redis, postgres, teller()).await?;
            (registry, Some(tiered))
        }
        Stores::Sqlite { file } => (over_a_file(file, teller()).await?, None),
    };
    let breaker = registry.breaker(SERVICE)?;
    tell(SystemTime::now(), &Fact::Ready { run: registry.run_id() });
    for _ in 0..CALLERS {
        let (breaker, worker) = (breaker.clone(), worker.clone());
        tokio::spawn(async move {
            loop {
                // What came of it is the breaker's to tell.
                let _ = call(&breaker, &worker).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    if let Some(tiered) = tiered {
        tokio::spawn(tell_health(registry.clone(), tiered));
    }

    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = orders.next_line().await? {
        match Order::from_word(&line).ok_or("no such order")? {
            Order::Call => {
                let rejected = match call(&breaker, &worker).await {
                    Err(CallError::Rejected(rejected)) => Some(rejected.state),
                    _ => None,
                };
                tell(SystemTime::now(), &Fact::Called { rejected });
            }
            Order::ForceOpen => {
                let by = By::who("ann").because("we move the database");
                registry.set_override(SERVICE, Override::ForcedOpen, by)?;
            }
            Order::Lift => registry.lift_override(SERVICE, By::who("ann"))?,
            Order::Quit => break,
        }
    }
    let left = registry.shutdown(Duration::from_secs(5)).await;
    if left.is_nothing() { Ok(()) } else { Err(format!("not written: {left:?}").into()) }
}

async fn call(breaker: &Breaker, worker: &Worker) -> Result<(), CallError<io::Error>> {
    breaker.call(async || upstream::ask(worker.upstream, &worker.name, breaker.state()).await).await
}

// ===== what is told =====

/// Tells of every change of state, and of the first call that is rejected after it.
fn teller() -> impl Fn(&Event) + Send + Sync + 'static {
    let rejected = AtomicBool::new(false);
    move |event| match &event.kind {
        EventKind::Transition(transition) => {
            rejected.store(false, Ordering::Relaxed);
            let fact = Fact::Is {
                state: transition.to,
                reopens: transition.reopens,
                by_itself: transition.by != Origin::Peer,
                reason: transition.reason.to_string(),
            };
            tell(event.at, &fact);
        }
        EventKind::Rejected(call) if !rejected.swap(true, Ordering::Relaxed) => {
            tell(event.at, &Fact::Rejects { state: call.state });
        }
        _ => {}
    }
}

/// Tells whenever a tier went or came back.
async fn tell_health(registry: Registry, tiered: TieredStore) {
    let mut before = None;
    loop {
        let health = tiered.health();
        let store = registry.stats().store;
        let now = (store == StoreHealth::Available, health.cache.is_up(), health.durable.is_up());
        if before.replace(now) != Some(now) {
            let (registry, cache, durable) = now;
            tell(SystemTime::now(), &Fact::Health { registry, cache, durable });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn tell(at: SystemTime, fact: &Fact) {
    // A fleet that nobody listens to is at its end.
    if let Ok(line) = serde_json::to_string(&(at, fact)) {
        let _ = writeln!(io::stdout(), "{line}");
    }
}
