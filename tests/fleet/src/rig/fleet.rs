//! How a fleet starts.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use tower_breaker::store::{redis::RedisStore, sql::SqlStore};
use tower_breaker_torture::{database::Database, postgres::Server, process::Worker};

use super::redis::Redis;
use crate::{
    Error,
    log::{Log, Setup},
    proxy::Proxy,
    said::{Line, Said, Who},
    stores::{PREFIX, Where},
    upstream::Upstream,
    worker::WorkerOptions,
};

/// How long a worker may take to start on a machine that has other things to do.
pub(super) const START: Duration = Duration::from_secs(30);
/// How often it is looked whether something happened.
pub(super) const LOOK: Duration = Duration::from_millis(2);

/// What a fleet is made of.
#[derive(Clone, Debug)]
pub struct RigOptions {
    /// The program that becomes a worker.
    pub program: PathBuf,
    /// How many processes.
    pub processes: usize,
    /// Whether there is a cache in front of the database.
    pub tiered: bool,
    /// What each does. Who it is and where things are is filled in.
    pub worker: WorkerOptions,
}

/// A fleet that runs.
#[derive(Debug)]
pub struct Rig {
    /// What it calls.
    pub upstream: Upstream,
    /// What was said and done so far.
    pub log: Log,
    pub(super) options: RigOptions,
    // Before the server: it goes first.
    database: Database,
    pub(super) postgres: Server,
    pub(super) redis: Option<Redis>,
    /// The database as it is, beside all proxies.
    pub(super) store: SqlStore,
    /// The cache as it is.
    pub(super) cache: Option<RedisStore>,
    pub(super) processes: Vec<Process>,
    /// How much of the log was looked at.
    pub(super) read: usize,
    /// When the last fault was over.
    pub(super) healed: u64,
}

/// A place for a process, and its ways to the stores.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) who: Who,
    pub(super) worker: Option<Worker<Said>>,
    pub(super) durable: Proxy,
    pub(super) cache: Option<Proxy>,
}

impl Rig {
    /// Starts servers and processes.
    ///
    /// # Errors
    ///
    /// If something does not start.
    pub async fn start(options: RigOptions) -> Result<Self, Error> {
        let postgres = Server::start().await?;
        let database = Database::on_server(&postgres.url()).await?;
        let store = database.store().await?;
        let redis = if options.tiered { Some(Redis::start().await?) } else { None };
        let cache = match &redis {
            Some(redis) => {
                let url = format!("redis://127.0.0.1:{}", redis.port);
                Some(RedisStore::builder(url).prefix(PREFIX).connect_lazy()?)
            }
            None => None,
        };
        let log = Log {
            setup: Setup {
                tiered: options.tiered,
                quorum: options.worker.quorum,
                failures: options.worker.failures.into(),
                probes: options.worker.probes.into(),
                agree_within: (options.worker.poll + 1000) * 1_000_000,
            },
            ..Log::default()
        };
        let mut rig = Self {
            upstream: Upstream::start().await?,
            log,
            postgres,
            redis,
            database,
            store,
            cache,
            processes: Vec::new(),
            read: 0,
            healed: 0,
            options,
        };
        for slot in 0..rig.options.processes {
            let durable = Proxy::start(port(&rig.postgres.url())?).await?;
            let cache = match &rig.redis {
                Some(redis) => Some(Proxy::start(redis.port).await?),
                None => None,
            };
            let who = Who { slot, life: 0 };
            rig.processes.push(Process { who, worker: None, durable, cache });
            rig.run(slot)?;
        }
        for slot in 0..rig.options.processes {
            rig.is_ready(slot).await?;
        }
        Ok(rig)
    }

    pub(super) fn run(&mut self, slot: usize) -> Result<(), Error> {
        let (_, name) = self.database.url.rsplit_once('/').ok_or("the URL names no database")?;
        let process = self.processes.get_mut(slot).ok_or("no such process")?;
        let mut options = self.options.worker.clone();
        options.who = process.who;
        options.upstream = self.upstream.address.to_string();
        let cache = process.cache.as_ref();
        options.stores = Where {
            durable: format!("postgres://breaker@{}/{name}", process.durable.address),
            cache: cache.map(|cache| format!("redis://{}", cache.address)),
        };
        // Every second one has a clock of its own.
        if slot % 2 == 1 {
            options.clock.get_or_insert((1000 * slot as u64, 86_400 * (slot as i64 - 2)));
        }
        let arguments = [serde_json::to_string(&options)?];
        process.worker = Some(Worker::start(&self.options.program, &arguments)?);
        Ok(())
    }

    pub(super) async fn is_ready(&mut self, slot: usize) -> Result<(), Error> {
        let who = self.who(slot);
        let began = Instant::now();
        while began.elapsed() < START {
            self.hear();
            let ready =
                |(by, said): &(Who, Said)| *by == who && matches!(said.line, Line::Ready { .. });
            // Processes are ready in any order.
            if self.log.said.iter().rev().any(ready) {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(format!("{who} is not ready within {START:?}\n{}", self.logged()).into())
    }

    /// Who has a place now.
    #[must_use]
    pub fn who(&self, slot: usize) -> Who {
        self.processes.get(slot).map(|process| process.who).unwrap_or_default()
    }

    /// How many places there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.processes.len()
    }
}

/// The port in a URL.
fn port(url: &str) -> Result<u16, Error> {
    let (rest, _) = url.rsplit_once('/').ok_or("the URL names no database")?;
    let (_, port) = rest.rsplit_once(':').ok_or("the URL has no port")?;
    Ok(port.parse()?)
}
