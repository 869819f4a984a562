//! Four processes that share a Redis and a Postgres act as one: while the service that they call
//! breaks, while one of them is killed as it probes, and while Redis is gone.
//!
//! The program starts itself four times over, does all that to them, checks what has to hold, and
//! prints who knew what when. `worker.rs` is what one would write in a program of one's own.
//!
//! ```text
//! cargo run --example fleet --features full
//! cargo run --example fleet --features full -- --sqlite
//! ```
//!
//! The Postgres is the one that `TOWER_BREAKER_POSTGRES_URL` names, where the program makes a database
//! for itself, or one that is thrown away afterwards. The Redis is one of its own, since it is killed.
//! With `--sqlite` the processes share a file, and there is no server.

#![allow(clippy::disallowed_methods, reason = "it shows when things happen")]

mod processes;
mod servers;
mod story;
mod timeline;
mod upstream;
mod worker;

use std::process::ExitCode;

use tower_breaker::error::BoxError;

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    if let Ok(worker) = std::env::var(worker::VARIABLE) {
        worker::run(serde_json::from_str(&worker)?).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let sqlite = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [argument] if argument == "--sqlite" => true,
        _ => return Err("the only argument that there may be is --sqlite".into()),
    };
    if !sqlite && std::env::var(servers::POSTGRES).is_err() {
        return servers::start_again_with_servers().await;
    }
    // What is dropped at the end, however it ends, stops the processes and the servers.
    tokio::select! {
        told = story::tell(sqlite) => told.map(|()| ExitCode::SUCCESS),
        () = interrupted() => Err("interrupted".into()),
    }
}

async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
