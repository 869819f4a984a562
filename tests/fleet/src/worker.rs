//! The process of a fleet: a registry under load.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tower_breaker::{
    Breaker, Outcome, Registry, Settings,
    breaker::{Event, EventKind},
    circuit::Override,
    journal::JournalOptions,
    registry::{By, Scope, StoreHealth},
};
use tower_breaker_torture::worker::orders;

use crate::{
    Error,
    clock::{WrongClock, boot},
    said::{Line, Standing, Stats, Turn, Who},
    stores::{Stores, Where},
    upstream::Caller,
    witness::Witness,
};

/// How often a worker says what it did.
const STATS: Duration = Duration::from_millis(500);
/// How many times are kept of how long it took to be admitted.
const SAMPLES: usize = 100_000;

/// What a worker does. Times are milliseconds unless they say otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerOptions {
    /// Who it is.
    pub who: Who,
    /// Where the upstream is.
    pub upstream: String,
    /// Where the stores are.
    pub stores: Where,
    /// Its circuits.
    pub circuits: Vec<String>,
    /// How many processes it takes to open.
    pub quorum: u32,
    /// How many failures in a row open a circuit.
    pub failures: u32,
    /// How long a circuit stays open.
    pub open: u64,
    /// How many probes there are at most.
    pub probes: u32,
    /// The term of a lease.
    pub term: u64,
    /// How often the store is asked.
    pub poll: u64,
    /// How long an operation of the store may take.
    pub store_timeout: u64,
    /// The shortest and the longest pause between calls of one task. Two tasks call a circuit.
    pub pace: (u64, u64),
    /// How wrong the clock is, in seconds: the origin of the monotonic one, and the wall clock. None:
    /// the clock that a registry has unless told otherwise.
    pub clock: Option<(u64, i64)>,
}

/// What the tasks of a worker share.
#[derive(Debug, Default)]
struct Shared {
    /// The tasks call.
    on: AtomicBool,
    calls: AtomicU64,
    /// Nanoseconds that it took to be admitted or rejected: with a registry, and without one.
    taken: Mutex<(Vec<u32>, Vec<u32>)>,
}

/// Works until it is told `quit`, or its parent is gone.
///
/// # Errors
///
/// If it cannot begin.
pub async fn work(options: WorkerOptions) -> Result<(), Error> {
    let stores = Stores::open(&options.stores)?;
    let timeout = Duration::from_millis(options.store_timeout);
    // The registry gives up after the witness.
    let witness = Witness::new(Arc::clone(&stores.state), timeout);
    let settings = settings(&options)?;
    let clock =
        options.clock.map(|(offset, wall)| WrongClock::new(Duration::from_secs(offset), wall));
    let mut builder = Registry::builder()
        .store(Arc::new(witness))
        .history(Arc::clone(&stores.history))
        .fleet_store(Arc::clone(&stores.fleet))
        .scope(Scope::Fleet { quorum: options.quorum })
        .heartbeat(Duration::from_millis(500))
        .journal(JournalOptions::new().flush_interval(Duration::from_millis(200)))
        .lease_term(Duration::from_millis(options.term))
        .poll_interval(Duration::from_millis(options.poll))
        .store_timeout(timeout + Duration::from_secs(1))
        .defaults(settings.clone())
        .observer(tell);
    if let Some(clock) = &clock {
        builder = builder.clock(clock.clone());
    }
    let registry = builder.start().await?;
    Line::Ready { run: registry.run_id() }.say();

    let shared = Arc::new(Shared { on: AtomicBool::new(true), ..Shared::default() });
    for service in &options.circuits {
        for _ in 0..2 {
            let caller = Caller::new(options.who, &options.upstream, service);
            let breaker = registry.breaker(service)?;
            let control = Breaker::builder("control").settings(settings.clone()).build()?;
            let shared = Arc::clone(&shared);
            tokio::spawn(call(caller, [breaker, control], options.pace, shared));
        }
    }
    listen(&registry, &options, &stores, clock, &shared).await
}

fn settings(options: &WorkerOptions) -> Result<Settings, Error> {
    let open = Duration::from_millis(options.open);
    Ok(Settings::builder()
        .failure_threshold(options.failures)
        .recovery_timeout(open)
        .max_recovery_timeout(open * 4)
        .permitted_calls_in_half_open(options.probes)
        .max_wait_in_half_open(Duration::from_secs(3))
        .build()?)
}

/// Tells of what circuits do.
fn tell(event: &Event) {
    let service = || event.service.to_string();
    match &event.kind {
        EventKind::Transition(turn) => {
            let turn = Turn {
                service: service(),
                from: turn.from,
                to: turn.to,
                generation: turn.generation,
                version: turn.version,
                reason: turn.reason.as_str().to_owned(),
            };
            Line::Turn(turn).say_later();
        }
        EventKind::Call(call) if call.late => {
            Line::Late { service: service(), generation: call.generation }.say_later();
        }
        _ => {}
    }
}

/// Does what it is told on the standard input.
async fn listen(
    registry: &Registry,
    options: &WorkerOptions,
    stores: &Stores,
    clock: Option<WrongClock>,
    shared: &Shared,
) -> Result<(), Error> {
    let mut orders = orders();
    let mut stats = tokio::time::interval(STATS);
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            _ = stats.tick() => {
                Line::Stats(read(registry, stores)).say();
                continue;
            }
        };
        let Some(order) = order else { break };
        let words: Vec<&str> = order.split(' ').collect();
        match words[..] {
            ["states"] => states(registry, options)?.say(),
            ["force_open", service] => {
                registry.set_override(service, Override::ForcedOpen, By::who("a person"))?;
                0
            }
            ["lift", service] => {
                registry.lift_override(service, By::who("a person"))?;
                0
            }
            ["wall", seconds] => {
                if let Some(clock) = &clock {
                    clock.set_wall(seconds.parse()?);
                }
                0
            }
            ["quit"] => break,
            _ => return Err(format!("there is no order `{order}`").into()),
        };
    }
    shared.on.store(false, Ordering::Relaxed);
    Line::Stats(read(registry, stores)).say();
    let (ours, control) = std::mem::take(&mut *lock(&shared.taken));
    Line::Speed { ours, control }.say();
    registry.shutdown(Duration::from_secs(5)).await;
    Ok(())
}

fn states(registry: &Registry, options: &WorkerOptions) -> Result<Line, Error> {
    let standing = |service: &String| -> Result<Standing, Error> {
        Ok(Standing {
            service: service.clone(),
            state: registry.breaker(service)?.state(),
            version: registry.stored(service).map(|stored| stored.version),
        })
    };
    let stats = registry.stats();
    Ok(Line::States {
        circuits: options.circuits.iter().map(standing).collect::<Result<_, _>>()?,
        uncommitted: stats.uncommitted,
        up: stats.store == StoreHealth::Available,
    })
}

fn read(registry: &Registry, stores: &Stores) -> Stats {
    let did = registry.stats().coordinator;
    let stats = Stats {
        leases: did.leases,
        takeovers: did.takeovers,
        fenced: did.fenced,
        unused: did.unused_leases,
        conflicts: did.conflicts,
        ..Stats::default()
    };
    stores.add_to(stats)
}

/// Calls a circuit, and beside it one that knows of no store.
async fn call(
    mut caller: Caller,
    [breaker, control]: [Breaker; 2],
    pace: (u64, u64),
    shared: Arc<Shared>,
) {
    while shared.on.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(pace.0..=pace.1))).await;
        let sequence = shared.calls.fetch_add(1, Ordering::Relaxed);
        let mut taken = [0; 2];
        let mut permit = None;
        // By turns, so that whatever else the machine does hits both alike.
        let order = if sequence.is_multiple_of(2) { [0, 1] } else { [1, 0] };
        for which in order {
            let began = Instant::now();
            if which == 0 {
                permit = breaker.try_acquire().ok();
            } else if let Ok(permit) = control.try_acquire() {
                permit.success();
            }
            taken[which] = u32::try_from(began.elapsed().as_nanos()).unwrap_or(u32::MAX);
        }
        {
            let mut all = lock(&shared.taken);
            if all.0.len() < SAMPLES {
                all.0.push(taken[0]);
                all.1.push(taken[1]);
            }
        }
        if let Some(permit) = permit {
            let admitted = boot();
            let well = caller.call(permit.generation(), sequence, admitted).await;
            permit.record(Outcome::failure_if(!well));
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
