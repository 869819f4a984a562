//! A registry in this process, on a store that something happens to.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tower_breaker::{
    Registry, ServiceName, Settings, State,
    registry::StoreHealth,
    store::{StateStore, Stored, Timestamp, sql::SqlStore},
};

use crate::{
    Error,
    check::Chains,
    database::{changes, records},
    ledger::Ledger,
    log::Log,
    speed::{Speed, calm},
    witness::Witness,
};

/// How long something may take that is to come about.
const PATIENCE: Duration = Duration::from_secs(40);

/// A registry, what it logs, and what it wrote.
#[derive(Debug)]
pub struct Rig {
    /// The registry.
    pub registry: Registry,
    /// What this thread logs.
    pub log: Log,
    ledger: Arc<Mutex<Ledger>>,
}

impl Rig {
    /// Starts a registry on a store whose operations take no longer than a second. All of it runs on
    /// this thread if its runtime does.
    ///
    /// # Errors
    ///
    /// Those of the registry.
    pub async fn start(store: SqlStore) -> Result<Self, Error> {
        let log = Log::keep();
        let ledger: Arc<Mutex<Ledger>> = Arc::default();
        let told = Arc::clone(&ledger);
        let witness = Witness::new(Arc::new(store.clone()), None, move |line| {
            told.lock().unwrap_or_else(PoisonError::into_inner).note(&line);
        });
        let settings = Settings::builder().failure_threshold(2).build()?;
        let registry = Registry::builder()
            .store(Arc::new(witness))
            .history(Arc::new(store))
            .defaults(settings)
            .settings_for(|name| (name == "calm").then(|| Arc::new(calm())))
            .store_timeout(Duration::from_secs(1))
            .poll_interval(Duration::from_millis(500))
            .start()
            .await?;
        Ok(Self { registry, log, ledger })
    }

    /// Opens a circuit by failures, here. It is in force at once, whatever the store does.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn trip(&self, service: &str) -> Result<(), Error> {
        let started = Instant::now();
        let breaker = self.registry.breaker(service)?;
        for _ in 0..2 {
            breaker.try_acquire()?.failure();
        }
        if breaker.try_acquire().is_ok() {
            return Err(format!("{service} is {} after two failures", breaker.state()).into());
        }
        let took = started.elapsed();
        if took > Duration::from_millis(100) {
            return Err(format!("tripping {service} took {took:?}").into());
        }
        Ok(())
    }

    /// Waits until something is so.
    ///
    /// # Errors
    ///
    /// If it does not come about.
    pub async fn eventually<F>(&self, what: &str, so: impl Fn() -> F) -> Result<(), Error>
    where
        F: Future<Output = bool>,
    {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if so().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (stats, log) = (self.registry.stats(), self.log.all());
        Err(format!("{what}: it does not come about; {stats:#?}\n{log}").into())
    }

    /// Waits until a store, another one on the same database, has a circuit in a state.
    ///
    /// # Errors
    ///
    /// If it does not come about.
    pub async fn stored(&self, store: &SqlStore, service: &str, state: State) -> Result<(), Error> {
        let name = ServiceName::new(service)?;
        self.eventually(&format!("{service} is stored as {state}"), || async {
            match store.load(&name).await {
                Ok(Some(Stored::Record(record))) => record.state.state == state,
                _ => false,
            }
        })
        .await
    }

    /// Waits until the registry says that the store does not answer.
    ///
    /// # Errors
    ///
    /// If it does not come about.
    pub async fn is_down(&self) -> Result<(), Error> {
        self.eventually("an outage is seen", || async {
            matches!(self.registry.stats().store, StoreHealth::Unavailable { .. })
        })
        .await
    }

    /// Waits until the registry says that the store answers, and nothing waits for it.
    ///
    /// # Errors
    ///
    /// If it does not come about.
    pub async fn is_up(&self) -> Result<(), Error> {
        self.eventually("the store answers", || async {
            let stats = self.registry.stats();
            stats.store == StoreHealth::Available && stats.uncommitted == 0
        })
        .await
    }

    /// Measures calls on another thread, while this one goes on.
    ///
    /// # Errors
    ///
    /// If the store slows calls down.
    pub async fn is_fast(&self) -> Result<Speed, Error> {
        let calm = self.registry.breaker("calm")?;
        let measuring = move || Speed::measure(&calm, Duration::from_secs(1));
        let speed = tokio::task::spawn_blocking(measuring).await?;
        if speed.is_full() { Ok(speed) } else { Err(format!("calls are slow: {speed}").into()) }
    }

    /// How often an outage was logged, and its end.
    #[must_use]
    pub fn outages(&self) -> (usize, usize) {
        let began = self.log.saying("the store does not answer; circuits work on their own").len();
        (began, self.log.saying("the store answers again").len())
    }

    /// Checks what is in the database: all that was acknowledged, nothing else, one chain a lane.
    ///
    /// # Errors
    ///
    /// If something is wrong with it.
    pub async fn check(&self, store: &SqlStore) -> Result<(), Error> {
        let events = changes(store, Timestamp::EPOCH).await?;
        let records = records(store).await?;
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = Chains::default().check(&events, &records, &mut ledger);
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
    }
}
