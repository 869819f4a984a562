//! A Redis server of one's own, which keeps nothing on disk.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::Error;

/// A server, which goes with this.
#[derive(Debug)]
pub(super) struct Redis {
    pub(super) port: u16,
    folder: TempDir,
    running: Option<Child>,
}

impl Redis {
    pub(super) async fn start() -> Result<Self, Error> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut redis = Self { port, folder: tempfile::tempdir()?, running: None };
        redis.run().await?;
        Ok(redis)
    }

    /// Starts it with nothing in it.
    pub(super) async fn run(&mut self) -> Result<(), Error> {
        let installed = |program: &&str| {
            let version = Command::new(program).arg("--version").stdout(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        };
        let program = ["redis-server", "valkey-server"].into_iter().find(installed);
        let program = program.ok_or(
            "this needs redis-server or valkey-server on PATH: apt-get install redis-server",
        )?;
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command.args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port"]);
        self.running = Some(command.arg(self.port.to_string()).spawn()?);
        for _ in 0..1000 {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("Redis does not start".into())
    }

    /// Kills it. What it had is gone.
    pub(super) fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            // It may have ended already.
            let _ = running.kill();
            let _ = running.wait();
        }
    }

    /// Lets it stand still, or go on.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Error> {
        let running = self.running.as_ref().ok_or("Redis does not run")?;
        let pid = Pid::from_raw(i32::try_from(running.id())?).ok_or("no process id")?;
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
