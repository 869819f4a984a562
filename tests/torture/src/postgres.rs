//! A Postgres server of one's own: it may be stopped, frozen and started again.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, getuid, kill_process};
use sea_orm::{ConnectOptions, Database as Connector};
use tempfile::TempDir;

use crate::Error;

/// A server and its data, which go with this.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    program: PathBuf,
    user: Option<(u32, u32)>,
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// If Postgres is not installed, or does not start.
    pub async fn start() -> Result<Self, Error> {
        let (initdb, program) = (find("initdb")?, find("postgres")?);
        let folder = tempfile::Builder::new().prefix("tower-breaker-postgres.").tempdir()?;
        // The server refuses to run as root.
        let user = if getuid().is_root() { Some(user_of("postgres")?) } else { None };
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid))?;
        }
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut server = Self { folder, program, user, port, running: None };
        let mut command = server.command(&initdb);
        command.args(["--no-sync", "--username=breaker", "--auth=trust", "--encoding=UTF8"]);
        let made = command.args(["--locale=C", "--pgdata=data"]).output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into());
        }
        server.run().await?;
        Ok(server)
    }

    /// The URL of a database that is always there.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://breaker@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it after it was stopped, and waits until it answers.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn run(&mut self) -> Result<(), Error> {
        let log = fs::File::create(self.folder.path().join("server.log"))?;
        let mut command = self.command(&self.program);
        command.args(["-D", "data", "-c", "listen_addresses=127.0.0.1", "-c"]);
        command.arg(format!("port={}", self.port));
        command.args(["-c", "unix_socket_directories=", "-c", "fsync=off"]);
        self.running = Some(command.stdout(log.try_clone()?).stderr(log).spawn()?);
        for _ in 0..600 {
            let mut options = ConnectOptions::new(self.url());
            options.max_connections(1).sqlx_logging(false);
            options.acquire_timeout(Duration::from_secs(2));
            if let Ok(connection) = Connector::connect(options).await {
                return Ok(connection.close().await?);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        Err(format!("Postgres does not start: {log}").into())
    }

    /// Stops it at once: connections are cut off, and what was not committed is gone. Clients that go
    /// on connecting can keep it from ending; then it is ended as by a crash.
    ///
    /// # Errors
    ///
    /// If it does not end.
    pub async fn stop(&mut self) -> Result<(), Error> {
        let Some(running) = &self.running else { return Ok(()) };
        kill_process(pid_of(running.id())?, Signal::INT)?;
        for attempt in 0..600 {
            let Some(running) = &mut self.running else { return Ok(()) };
            if running.try_wait()?.is_some() {
                self.running = None;
                return Ok(());
            }
            if attempt == 40 {
                self.signal(Signal::KILL)?;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        Err(format!("Postgres does not stop: {log}").into())
    }

    /// Stops all its processes where they are: it accepts connections and answers nothing.
    ///
    /// # Errors
    ///
    /// If they cannot be.
    pub fn freeze(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    /// Lets them go on.
    ///
    /// # Errors
    ///
    /// If they cannot.
    pub fn thaw(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let Some(running) = &self.running else { return Err("the server does not run".into()) };
        let server = running.id();
        // Each of its processes is in a session of its own.
        let listed = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output()?;
        let listed = String::from_utf8(listed.stdout)?;
        let children = listed.lines().filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse::<u32>);
            let (process, parent) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
            (parent == server).then_some(process)
        });
        for process in std::iter::once(server).chain(children) {
            match kill_process(pid_of(process)?, signal) {
                // It has ended meanwhile.
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that is frozen hears nothing.
        let _ = self.thaw();
        let Some(mut running) = self.running.take() else { return };
        if let Ok(pid) = pid_of(running.id()) {
            let _ = kill_process(pid, Signal::QUIT);
        }
        let _ = running.wait();
    }
}

fn pid_of(id: u32) -> Result<Pid, Error> {
    Ok(i32::try_from(id).ok().and_then(Pid::from_raw).ok_or("no process id")?)
}

/// A program of Postgres: on PATH, or where Debian puts it.
fn find(name: &str) -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    Ok(found.ok_or_else(|| {
        format!("`{name}` is missing: install Postgres (apt-get install postgresql)")
    })?)
}

/// The ids of a user and its group.
fn user_of(name: &str) -> Result<(u32, u32), Error> {
    let users = fs::read_to_string("/etc/passwd")?;
    for line in users.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if let [found, _, uid, gid, ..] = fields[..]
            && found == name
        {
            return Ok((uid.parse()?, gid.parse()?));
        }
    }
    Err(format!("there is no user `{name}` to run the server as").into())
}
