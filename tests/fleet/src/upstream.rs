//! The service that the fleet calls: it counts what it receives, and can be broken.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{Error, clock::boot, said::Who};

/// How many calls of one generation are kept; the others are counted.
const KEPT: usize = 64;

/// The calls of one process to one service that were admitted under one generation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Round {
    /// The process.
    pub who: Who,
    /// The service.
    pub service: String,
    /// The generation.
    pub generation: u64,
}

/// What was received of a round.
#[derive(Clone, Debug, Default)]
pub struct Arrivals {
    /// The first calls.
    pub calls: Vec<Arrival>,
    /// How many there were.
    pub total: u64,
    /// How many were answered with a failure.
    pub failed: u64,
}

/// A call that was received. Times are nanoseconds of the clock that all processes share.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its place among the calls of its process.
    pub sequence: u64,
    /// When it was admitted.
    pub admitted: u64,
    /// When it was received.
    pub received: u64,
}

/// How it answers.
#[derive(Clone, Debug, Default)]
struct Mode {
    broken: bool,
    broken_for: HashSet<usize>,
    delay: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    mode: Mutex<Mode>,
    arrivals: Mutex<HashMap<Round, Arrivals>>,
}

/// A service that listens on the loopback interface.
#[derive(Debug)]
pub struct Upstream {
    /// Where.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Starts one that is well.
    ///
    /// # Errors
    ///
    /// If it cannot listen.
    pub async fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared: Arc<Shared> = Arc::default();
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                // A connection ends when its process does.
                tokio::spawn(async move { shared.serve(connection).await.is_ok() });
            }
        });
        Ok(Self { address, shared, task })
    }

    /// Breaks or heals it for all.
    pub fn set_broken(&self, broken: bool) {
        lock(&self.shared.mode).broken = broken;
    }

    /// Breaks or heals it for one process.
    pub fn set_broken_for(&self, slot: usize, broken: bool) {
        let mut mode = lock(&self.shared.mode);
        if broken {
            mode.broken_for.insert(slot);
        } else {
            mode.broken_for.remove(&slot);
        }
    }

    /// How long it takes for an answer.
    pub fn set_delay(&self, delay: Duration) {
        lock(&self.shared.mode).delay = delay;
    }

    /// What it received so far.
    #[must_use]
    pub fn arrivals(&self) -> HashMap<Round, Arrivals> {
        lock(&self.shared.arrivals).clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn serve(&self, mut connection: TcpStream) -> std::io::Result<()> {
        connection.set_nodelay(true)?;
        let (from, mut to) = connection.split();
        let mut lines = BufReader::new(from).lines();
        while let Some(line) = lines.next_line().await? {
            let received = boot();
            let Some((round, sequence, admitted)) = parse(&line) else {
                return Err(std::io::Error::other("no request"));
            };
            let mode = lock(&self.mode).clone();
            let failed = mode.broken || mode.broken_for.contains(&round.who.slot);
            {
                let mut arrivals = lock(&self.arrivals);
                let arrivals = arrivals.entry(round).or_default();
                arrivals.total += 1;
                arrivals.failed += u64::from(failed);
                if arrivals.calls.len() < KEPT {
                    arrivals.calls.push(Arrival { sequence, admitted, received });
                }
            }
            if !mode.delay.is_zero() {
                tokio::time::sleep(mode.delay).await;
            }
            to.write_all(if failed { b"0\n" } else { b"1\n" }).await?;
        }
        Ok(())
    }
}

fn parse(line: &str) -> Option<(Round, u64, u64)> {
    let mut words = line.split(' ');
    let who = Who { slot: words.next()?.parse().ok()?, life: words.next()?.parse().ok()? };
    let service = words.next()?.to_owned();
    let generation = words.next()?.parse().ok()?;
    let round = Round { who, service, generation };
    Some((round, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// A process's way to the upstream.
#[derive(Debug)]
pub struct Caller {
    who: Who,
    address: String,
    service: String,
    connection: Option<BufReader<TcpStream>>,
}

impl Caller {
    /// One that is not connected yet.
    #[must_use]
    pub fn new(who: Who, address: &str, service: &str) -> Self {
        Self { who, address: address.to_owned(), service: service.to_owned(), connection: None }
    }

    /// Calls it. Whether it answered that it is well.
    pub async fn call(&mut self, generation: u64, sequence: u64, admitted: u64) -> bool {
        match self.ask(generation, sequence, admitted).await {
            Ok(well) => well,
            Err(_) => {
                self.connection = None;
                false
            }
        }
    }

    async fn ask(&mut self, generation: u64, sequence: u64, at: u64) -> std::io::Result<bool> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let connection = TcpStream::connect(&self.address).await?;
                connection.set_nodelay(true)?;
                self.connection.insert(BufReader::new(connection))
            }
        };
        let Who { slot, life } = self.who;
        let request = format!("{slot} {life} {} {generation} {sequence} {at}\n", self.service);
        connection.get_mut().write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_line(&mut answer).await?;
        if answer.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer == "1\n")
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
