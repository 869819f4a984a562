//! Makes connections, subscribes, and notices when they are gone.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, ErrorKind, PushInfo, PushKind, Value, aio::MultiplexedConnection,
};
use tokio::{
    sync::{Notify, broadcast},
    time::{sleep, timeout},
};

use super::{
    client,
    failure::Problem,
    link::{Shared, State, Up, server_error},
};
use crate::{name::ServiceName, store::ChangeHint};

/// The pauses between attempts: the first, and the longest. The second attempt is made at once.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// Keeps a connection for as long as the store lives.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut pause = Duration::ZERO;
    loop {
        let number = shared.connections.fetch_add(1, Ordering::Relaxed);
        let gone = Arc::new(Notify::new());
        let attempt = timeout(shared.timeout, connect(&shared, &gone)).await;
        match attempt.unwrap_or(Err(Problem::TimedOut(shared.timeout))) {
            Ok((connection, subscribed)) => {
                shared.note(State::Up(Up { connection: connection.clone(), number }));
                // What changed before was told to nobody here.
                shared.hint(ChangeHint::Resync);
                if stay(&shared, connection, number, &gone, subscribed).await {
                    pause = Duration::ZERO;
                }
            }
            Err(problem) => {
                tracing::debug!(error = %problem.at("connect"), "no connection to Redis");
                shared.note(State::Down(problem));
            }
        }
        // Not all processes at the same moment.
        sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        pause = (pause * 2).clamp(PAUSES.0, PAUSES.1);
    }
}

/// Makes a connection. Returns whether it is told of changes.
async fn connect(
    shared: &Arc<Shared>,
    gone: &Arc<Notify>,
) -> Result<(MultiplexedConnection, bool), Problem> {
    let (hints, lost) = (shared.hints.clone(), Arc::clone(gone));
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_push_sender(move |push: PushInfo| {
            heard(&hints, &lost, &push);
            Ok::<_, Infallible>(())
        });
    let connected = shared.client.get_multiplexed_async_connection_with_config(&config).await;
    let mut connection = match connected {
        Ok(connection) => connection,
        Err(error) if error.kind() == ErrorKind::RESP3NotSupported => {
            return Err(too_old(shared).await);
        }
        Err(error) => return Err(error.into()),
    };
    match connection.subscribe(&shared.channel).await {
        Ok(()) => Ok((connection, true)),
        Err(error) if error.is_io_error() || error.is_unrecoverable_error() => Err(error.into()),
        Err(_) => {
            shared.say_no_hints("subscribe");
            Ok((connection, false))
        }
    }
}

/// What a server is that does not know the newer protocol.
async fn too_old(shared: &Shared) -> Problem {
    let asked = async {
        let client = client::old(&shared.client)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
        Ok::<_, Problem>(info)
    };
    let info = asked.await.unwrap_or_default();
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    Problem::Configuration(format!(
        "the server is Redis {} but must be Redis 6 or newer, or Valkey",
        version.unwrap_or("of an unknown version, without the command HELLO,").trim()
    ))
}

/// What the server says by itself.
fn heard(hints: &broadcast::Sender<ChangeHint>, lost: &Notify, push: &PushInfo) {
    let hint = match push.kind {
        PushKind::Message => match push.data.get(1) {
            Some(Value::BulkString(name)) => std::str::from_utf8(name)
                .ok()
                .and_then(|name| ServiceName::new(name).ok())
                .map_or(ChangeHint::Resync, ChangeHint::Changed),
            _ => ChangeHint::Resync,
        },
        PushKind::Disconnection => {
            lost.notify_one();
            return;
        }
        _ => return,
    };
    // An error says that nobody watches.
    let _ = hints.send(hint);
}

/// Waits until a connection is lost. Returns whether it was of use for a while.
async fn stay(
    shared: &Shared,
    connection: MultiplexedConnection,
    number: u64,
    gone: &Notify,
    subscribed: bool,
) -> bool {
    let mut states = shared.state.subscribe();
    let replaced = async {
        let up = |state: &State| matches!(state, State::Up(up) if up.number == number);
        // An error says that the store is gone.
        let _ = states.wait_for(|state| !up(state)).await;
    };
    let poll = async {
        if subscribed {
            std::future::pending::<()>().await;
        }
        loop {
            sleep(shared.poll_interval).await;
            shared.hint(ChangeHint::Resync);
        }
    };
    let mut answered = false;
    let problem = tokio::select! {
        () = replaced => None,
        () = gone.notified() => Some(closed()),
        problem = pings(shared, connection, &mut answered) => Some(problem),
        () = poll => None,
    };
    if let Some(problem) = problem {
        shared.lose(number, &problem);
    }
    answered
}

fn closed() -> Problem {
    let error =
        std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the connection was closed");
    redis::RedisError::from(error).into()
}

/// Tries the connection until it fails.
async fn pings(
    shared: &Shared,
    mut connection: MultiplexedConnection,
    answered: &mut bool,
) -> Problem {
    loop {
        sleep(shared.ping_interval).await;
        let command = redis::cmd("PING");
        let ping = connection.send_packed_command(&command);
        match timeout(shared.timeout, ping).await {
            Err(_) => return Problem::TimedOut(shared.timeout),
            Ok(answer) => match server_error(answer) {
                Err(error) if error.is_io_error() || error.is_unrecoverable_error() => {
                    return error.into();
                }
                // Also one that the user may not give: the server is there.
                _ => *answered = true,
            },
        }
    }
}
