//! The process that is killed, raced and starved: a registry under load.

use std::{
    io::BufRead,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::sync::mpsc;
use tower_breaker::{
    Breaker, Outcome, Registry, Settings,
    circuit::Override,
    journal::JournalOptions,
    registry::By,
    store::{Timestamp, sql::SqlStore},
};

use crate::{
    Error,
    line::{Line, Recovered, Standing},
    speed::{Speed, calm},
    witness::{Hold, Witness},
};

/// What a worker does.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The store.
    pub url: String,
    /// Which circuits it has, and how they are called.
    pub load: Load,
    /// Where it stops for ever.
    pub hold: Option<Hold>,
}

/// How circuits are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Three circuits that open and close many times a second, and one that is open for a minute.
    Flapping,
    /// Two circuits that fail in all processes at the same time, and people at work on them.
    Fighting,
    /// Two circuits that open and close a few times a second.
    Gentle,
}

impl Load {
    /// The load of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "flapping" => Some(Self::Flapping),
            "fighting" => Some(Self::Fighting),
            "gentle" => Some(Self::Gentle),
            _ => None,
        }
    }

    /// The circuits, and for how many milliseconds each stays open.
    fn circuits(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Flapping => &[("short", 50), ("middle", 100), ("long", 200), ("minute", 60_000)],
            Self::Fighting => &[("left", 20), ("right", 40)],
            Self::Gentle => &[("left", 200), ("right", 300)],
        }
    }
}

/// The circuit that is measured.
const CALM: &str = "calm";

fn settings(name: &str, open_millis: u64) -> Settings {
    if name == CALM {
        return calm();
    }
    let open = Duration::from_millis(open_millis);
    let wait = Duration::from_millis(open_millis.min(500));
    Settings::builder()
        .failure_threshold(2)
        .recovery_timeout(open)
        .max_recovery_timeout(open)
        .permitted_calls_in_half_open(1)
        .max_wait_in_half_open(wait)
        .build()
        .unwrap_or_default()
}

/// Works until it is told `quit`, or its parent is gone.
///
/// # Errors
///
/// If it cannot begin.
pub async fn work(options: WorkerOptions) -> Result<(), Error> {
    let load = options.load;
    let store = SqlStore::builder(&options.url).connect_lazy()?;
    let witness = Witness::new(Arc::new(store.clone()), options.hold, |line| line.say());
    let started_at = now();
    let registry = Registry::builder()
        .store(Arc::new(witness))
        .history(Arc::new(store))
        .journal(JournalOptions::new().flush_interval(Duration::from_millis(50)))
        .settings_for(move |name| {
            let millis = load.circuits().iter().find(|(circuit, _)| *circuit == name);
            Some(Arc::new(settings(name, millis.map_or(1000, |(_, millis)| *millis))))
        })
        .start()
        .await?;
    for found in registry.recovered() {
        let breaker = registry.breaker(&found.service)?;
        let live = breaker.snapshot();
        Line::Recovered(Recovered {
            service: found.service.to_string(),
            state: found.state,
            version: found.version,
            remaining: found.remaining.map(micros),
            started_at,
            live_state: live.state,
            live_remaining: live.remaining.map(micros),
            at: now(),
        })
        .say();
    }
    Line::Ready.say();

    let on = Arc::new(AtomicBool::new(true));
    for (name, _) in load.circuits() {
        let breaker = registry.breaker(name)?;
        for _ in 0..2 {
            tokio::spawn(call(breaker.clone(), load, Arc::clone(&on)));
        }
        if load == Load::Fighting || *name == "long" {
            tokio::spawn(operate(registry.clone(), name, Arc::clone(&on)));
        }
    }
    listen(&registry, load, &on).await
}

/// Does what it is told on the standard input.
async fn listen(registry: &Registry, load: Load, on: &AtomicBool) -> Result<(), Error> {
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        match order.as_str() {
            "stop" => on.store(false, Ordering::Relaxed),
            "states" => Line::States { circuits: states(registry, load)? }.say(),
            "speed" => {
                let calm = registry.breaker(CALM)?;
                let measuring = move || Speed::measure(&calm, Duration::from_secs(1));
                Line::Speed(tokio::task::spawn_blocking(measuring).await?).say();
            }
            "quit" => break,
            other => return Err(format!("there is no order `{other}`").into()),
        }
    }
    on.store(false, Ordering::Relaxed);
    let left = registry.shutdown(Duration::from_secs(10)).await;
    Line::Left { uncommitted: left.uncommitted, unwritten: left.unwritten.events }.say();
    Ok(())
}

/// What comes on the standard input; it ends where that ends.
#[must_use]
pub fn orders() -> mpsc::UnboundedReceiver<String> {
    let (sender, orders) = mpsc::unbounded_channel();
    // Not a task: a read of the standard input cannot be given up.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    orders
}

fn states(registry: &Registry, load: Load) -> Result<Vec<Standing>, Error> {
    let standing = |&(name, _): &(&str, u64)| -> Result<Standing, Error> {
        Ok(Standing {
            service: name.to_owned(),
            state: registry.breaker(name)?.state(),
            version: registry.stored(name).map(|stored| stored.version),
        })
    };
    load.circuits().iter().map(standing).collect()
}

/// Calls a circuit, and fails as the load has it.
async fn call(breaker: Breaker, load: Load, on: Arc<AtomicBool>) {
    while on.load(Ordering::Relaxed) {
        let pause = match breaker.try_acquire() {
            Ok(permit) => {
                let failed = match load {
                    Load::Flapping => fastrand::f64() < 0.4,
                    // All processes see the same clock.
                    Load::Fighting => now() / 30_000 % 2 == 0,
                    Load::Gentle => now() / 500_000 % 2 == 0,
                };
                permit.record(Outcome::failure_if(failed));
                1
            }
            Err(_) => 3,
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// What people do meanwhile.
async fn operate(registry: Registry, name: &'static str, on: Arc<AtomicBool>) {
    while on.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..400))).await;
        // The circuit is there: nothing can fail.
        let _ = match fastrand::u8(0..4) {
            0 => registry.reset(name),
            1 => registry.set_override(name, Override::ForcedOpen, By::who("one")),
            2 => registry.set_override(name, Override::MetricsOnly, By::who("other")),
            _ => registry.lift_override(name, By::who("third")),
        };
        tokio::time::sleep(Duration::from_millis(5)).await;
        let _ = registry.lift_override(name, By::nobody());
    }
}

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    Timestamp::from(SystemTime::now()).as_micros()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
