//! The processes of the fleet, as their parent sees them.

use std::{process::Stdio, time::SystemTime};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
};
use tower_breaker::error::BoxError;

use crate::worker::{Fact, Order, VARIABLE, Worker};

/// What a process told, and when by its own clock.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) who: String,
    pub(crate) at: SystemTime,
    pub(crate) fact: Fact,
}

/// A process of the fleet. It ends when this is dropped, or when the parent is gone.
pub(crate) struct Process {
    pub(crate) name: String,
    child: Child,
    orders: ChildStdin,
}

impl Process {
    pub(crate) fn start(
        worker: &Worker,
        told: mpsc::UnboundedSender<Told>,
    ) -> Result<Self, BoxError> {
        // In the environment, where no list of processes shows the passwords.
        let mut child = Command::new(std::env::current_exe()?)
            .env(VARIABLE, serde_json::to_string(worker)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().ok_or("no input")?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let who = worker.name.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                // One that is killed may leave half a line.
                let Ok((at, fact)) = serde_json::from_str(&line) else { continue };
                if told.send(Told { who: who.clone(), at, fact }).is_err() {
                    break;
                }
            }
        });
        Ok(Self { name: worker.name.clone(), child, orders })
    }

    pub(crate) async fn order(&mut self, order: Order) -> Result<(), BoxError> {
        let mut line = order.word().to_owned();
        line.push('\n');
        Ok(self.orders.write_all(line.as_bytes()).await?)
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) -> Result<(), BoxError> {
        Ok(self.child.kill().await?)
    }

    /// Waits for its end. It has to be a good one.
    pub(crate) async fn ended(&mut self) -> Result<(), BoxError> {
        let status = self.child.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("{} ended: {status}", self.name).into()) }
    }
}
