//! The connection, and the task that keeps it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{Client, Cmd, Value, aio::MultiplexedConnection};
use tokio::{
    sync::{broadcast, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{failure::Problem, keeper, script::Lua};
use crate::store::{ChangeHint, StoreError};

/// How many hints a watcher may be behind before it is told to look at everything.
const HINTS: usize = 1024;

/// The connection of a store. Operations use the one there is or fail; a task makes new ones.
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// What operations and the task that keeps the connection have in common.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) channel: String,
    pub(super) timeout: Duration,
    pub(super) ping_interval: Duration,
    pub(super) poll_interval: Duration,
    pub(super) state: watch::Sender<State>,
    pub(super) hints: broadcast::Sender<ChangeHint>,
    /// How many connections there were.
    pub(super) connections: AtomicU64,
    /// Whether it was said that hints have to be done without.
    pub(super) said_no_hints: AtomicBool,
}

#[derive(Clone)]
pub(super) enum State {
    /// Nobody has tried yet, or the first try goes on.
    Starting,
    Up(Up),
    Down(Problem),
}

/// A connection, and which one it is.
#[derive(Clone)]
pub(super) struct Up {
    pub(super) connection: MultiplexedConnection,
    pub(super) number: u64,
}

impl Link {
    pub(super) fn new(
        client: Client,
        channel: String,
        timeout: Duration,
        ping_interval: Duration,
        poll_interval: Duration,
    ) -> Self {
        let shared = Shared {
            client,
            channel,
            timeout,
            ping_interval,
            poll_interval,
            state: watch::Sender::new(State::Starting),
            hints: broadcast::Sender::new(HINTS),
            connections: AtomicU64::new(0),
            said_no_hints: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), keeper: Mutex::default() }
    }

    /// Sees to it that somebody keeps the connection, on the runtime that this is called on.
    pub(super) fn start(&self) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        // Its runtime may have been shut down, with the connection.
        if keeper.as_ref().is_none_or(JoinHandle::is_finished) && !self.shared.is_closed() {
            self.shared.state.send_replace(State::Starting);
            *keeper = Some(tokio::spawn(keeper::keep(Arc::clone(&self.shared))));
        }
    }

    /// Ends the connection. What comes after fails.
    pub(super) fn close(&self) {
        // Under the lock, so that nobody starts meanwhile.
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.state.send_replace(State::Down(Problem::Closed));
        if let Some(keeper) = keeper.take() {
            keeper.abort();
        }
    }

    /// Runs a script, within the time that an operation has.
    pub(super) async fn run(
        &self,
        operation: &'static str,
        script: &Lua,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<Value, StoreError> {
        self.start();
        let mut on = None;
        let running = async {
            let mut up = self.shared.connected().await?;
            on = Some(up.number);
            let command = call(script.by_digest(), keys, arguments);
            let answer = up.connection.send_packed_command(&command).await;
            let answer = match server_error(answer) {
                Err(error) if is_unknown(&error) => {
                    let command = call(script.by_source(), keys, arguments);
                    server_error(up.connection.send_packed_command(&command).await)
                }
                answer => answer,
            };
            answer.map_err(|error| {
                let lost = error.is_unrecoverable_error() || error.is_io_error();
                let problem = Problem::from(error);
                if lost || problem.is_of_a_replica() {
                    self.shared.lose(up.number, &problem);
                }
                problem
            })
        };
        let answer = timeout(self.shared.timeout, running).await;
        let answer = answer.unwrap_or_else(|_| {
            let problem = Problem::TimedOut(self.shared.timeout);
            // A server that hangs is not asked again until it answers to a new connection.
            if let Some(number) = on {
                self.shared.lose(number, &problem);
            }
            Err(problem)
        });
        answer.map_err(|problem| problem.at(operation))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.shared.state.borrow() {
            State::Starting => "Link(starting)",
            State::Up(_) => "Link(up)",
            State::Down(_) => "Link(down)",
        })
    }
}

impl Shared {
    /// The connection there is; while the first one is being made, that one.
    async fn connected(&self) -> Result<Up, Problem> {
        let mut states = self.state.subscribe();
        loop {
            match &*states.borrow_and_update() {
                State::Up(up) => return Ok(up.clone()),
                State::Down(problem) => return Err(problem.clone()),
                State::Starting => {}
            }
            if states.changed().await.is_err() {
                return Err(Problem::Closed);
            }
        }
    }

    /// Notes that a connection is of no use any more, unless it was replaced since.
    pub(super) fn lose(&self, number: u64, problem: &Problem) {
        self.state.send_if_modified(|state| {
            let lost = matches!(state, State::Up(up) if up.number == number);
            if lost {
                *state = State::Down(problem.clone());
            }
            lost
        });
    }

    /// Notes what came of an attempt, unless the store was closed meanwhile.
    pub(super) fn note(&self, now: State) {
        self.state.send_if_modified(|state| {
            let open = !matches!(state, State::Down(Problem::Closed));
            if open {
                *state = now;
            }
            open
        });
    }

    fn is_closed(&self) -> bool {
        matches!(&*self.state.borrow(), State::Down(Problem::Closed))
    }

    /// Tells the watchers; an error says that there are none.
    pub(super) fn hint(&self, hint: ChangeHint) {
        let _ = self.hints.send(hint);
    }

    /// Says once that changes are not told at once.
    pub(super) fn say_no_hints(&self, why: &str) {
        if !self.said_no_hints.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                channel = self.channel,
                poll_interval = %humantime::format_duration(self.poll_interval),
                "the Redis user may not {why}: changes are found by polling, not told at once"
            );
        }
    }
}

fn call(mut command: Cmd, keys: &[&str], arguments: &[&str]) -> Cmd {
    command.arg(keys.len()).arg(keys).arg(arguments);
    command
}

fn is_unknown(error: &redis::RedisError) -> bool {
    error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript)
}

/// An answer that is an error is one.
pub(super) fn server_error(answer: redis::RedisResult<Value>) -> redis::RedisResult<Value> {
    answer.and_then(Value::extract_error)
}
