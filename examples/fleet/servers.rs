//! The servers of the example.

use std::{
    path::Path,
    process::{ExitCode, Stdio},
    time::Duration,
};

use sea_orm::{ConnectionTrait, Database};
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};
use tower_breaker::{error::BoxError, store::RunId};

/// Names the Postgres.
pub(crate) const POSTGRES: &str = "TOWER_BREAKER_POSTGRES_URL";

const HOW: &str = "this example starts a Redis of its own, and there is neither redis-server nor \
                   valkey-server on PATH: apt-get install redis-server (brew install redis, dnf \
                   install redis), or run it with --sqlite";

/// Runs this program once more, with a Postgres around it that is thrown away afterwards.
pub(crate) async fn start_again_with_servers() -> Result<ExitCode, BoxError> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/servers");
    if !script.is_file() {
        return Err(format!(
            "set {POSTGRES} to the URL of a Postgres server, as a user who may create databases, or \
             run it with --sqlite"
        )
        .into());
    }
    // Whatever stops this one stops that one: they are in one group.
    let mut again = Command::new(script).arg(std::env::current_exe()?).spawn()?;
    let status = loop {
        tokio::select! {
            status = again.wait() => break status?,
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A database of the example's own.
pub(crate) struct Postgres {
    pub(crate) url: String,
    server: String,
    name: String,
}

impl Postgres {
    pub(crate) async fn create() -> Result<Self, BoxError> {
        let server = std::env::var(POSTGRES)?;
        let name = format!("fleet_example_{}", RunId::random());
        Database::connect(&server)
            .await?
            .execute_unprepared(&format!("CREATE DATABASE \"{name}\""))
            .await?;
        let (base, query) = server.split_once('?').unwrap_or((&server, ""));
        let (host, _) = base.rsplit_once('/').ok_or("the URL names no database")?;
        Ok(Self { url: format!("{host}/{name}?{query}"), server, name })
    }
}

/// However the example ends.
impl Drop for Postgres {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A runtime of its own: the one of the example cannot be waited for in a destructor.
        let dropping = std::thread::spawn(move || -> Result<(), BoxError> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let sql = format!("DROP DATABASE \"{name}\" WITH (FORCE)");
                Database::connect(&server).await?.execute_unprepared(&sql).await?;
                Ok(())
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("the database {} is left behind", self.name);
        }
    }
}

/// A Redis that keeps nothing on disk. It ends with the example.
pub(crate) struct Redis {
    program: &'static str,
    port: u16,
    process: Child,
}

impl Redis {
    pub(crate) async fn start() -> Result<Self, BoxError> {
        let program = program().await.ok_or(HOW)?;
        // Another program may take the port before the server does.
        for _ in 0..5 {
            let port = TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port();
            if let Some(process) = run(program, port).await? {
                return Ok(Self { program, port, process });
            }
        }
        Err(format!("{program} does not start").into())
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) -> Result<(), BoxError> {
        Ok(self.process.kill().await?)
    }

    /// The same server, with nothing in it.
    pub(crate) async fn start_again(&mut self) -> Result<(), BoxError> {
        let process = run(self.program, self.port).await?;
        self.process = process.ok_or("Redis does not start again")?;
        Ok(())
    }
}

async fn program() -> Option<&'static str> {
    for program in ["redis-server", "valkey-server"] {
        let version = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        if version.await.is_ok_and(|status| status.success()) {
            return Some(program);
        }
    }
    None
}

/// The server, once it answers; none if it ended.
async fn run(program: &str, port: u16) -> Result<Option<Child>, BoxError> {
    let mut process = Command::new(program)
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    for _ in 0..1000 {
        if process.try_wait()?.is_some() {
            return Ok(None);
        }
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return Ok(Some(process));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("Redis does not answer within 10 s".into())
}
