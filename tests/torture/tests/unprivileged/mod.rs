//! A disk that is full and a file that may not be written to, in a process that is not root's.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, getuid, prlimit};
use tower_breaker::store::{Timestamp, sql::SqlStore};
use tower_breaker_torture::{
    Error,
    check::Chains,
    database::{Database, changes, records},
    ledger::Ledger,
    line::Line,
    process::Worker,
};

/// Who nobody is where root has to be somebody else.
const NOBODY: u32 = 65_534;

const PATIENCE: Duration = Duration::from_secs(40);

/// A worker that is not root, and what it said.
struct Patient {
    worker: Worker,
    ledger: Ledger,
}

impl Patient {
    /// One that is not root, if it is to be.
    fn start(database: &Database, powerless: bool) -> Result<Self, Error> {
        let program = env!("CARGO_BIN_EXE_torture");
        // A file that grows past its limit is an error then, and no end.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", program, "worker"]);
        command.args(["--store", &database.url, "--load", "gentle"]);
        if powerless && getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        Ok(Self { worker: Worker::spawn(command)?, ledger: Ledger::default() })
    }

    /// Hears it until something is so.
    async fn until(
        &mut self,
        what: &str,
        mut so: impl FnMut(&Ledger, &[String]) -> bool,
    ) -> Result<(), Error> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            for line in self.worker.said() {
                self.ledger.note(&line);
            }
            if so(&self.ledger, &self.worker.log()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("{what}: it does not come about\n{}", self.worker.log().join("\n")).into())
    }

    /// Calls are as fast as without a store.
    async fn is_fast(&mut self) -> Result<(), Error> {
        self.worker.tell("speed")?;
        loop {
            match self.worker.next(PATIENCE).await? {
                Line::Speed(speed) if speed.is_full() => {
                    println!("{speed}");
                    return Ok(());
                }
                Line::Speed(speed) => return Err(format!("calls are slow: {speed}").into()),
                line => self.ledger.note(&line),
            }
        }
    }

    async fn ends_well(mut self, store: &SqlStore) -> Result<(), Error> {
        self.worker.tell("quit")?;
        loop {
            match self.worker.next(PATIENCE).await? {
                Line::Left { uncommitted: 0, unwritten: 0 } => break,
                Line::Left { uncommitted, unwritten } => {
                    return Err(format!("left: {uncommitted} circuits, {unwritten} events").into());
                }
                line => self.ledger.note(&line),
            }
        }
        self.worker.end_well()?;
        let events = changes(store, Timestamp::EPOCH).await?;
        let records = records(store).await?;
        let wrong = Chains::default().check(&events, &records, &mut self.ledger);
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
    }
}

fn saying(log: &[String], text: &str) -> usize {
    log.iter().filter(|line| line.contains(text)).count()
}

const DOWN: &str = "the store does not answer; circuits work on their own";
const UP: &str = "the store answers again";

/// Gives a database to whom the worker runs as.
fn give_away(path: &Path) -> Result<(), Error> {
    let folder = path.parent().ok_or("a folder")?;
    if getuid().is_root() {
        for entry in fs::read_dir(folder)? {
            chown(entry?.path(), Some(NOBODY), Some(NOBODY))?;
        }
        chown(folder, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

/// The limit of a file's size stands in for the size of a disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_waited_for_and_nothing_committed_is_lost() -> Result<(), Error> {
    let database = Database::sqlite()?;
    database.store().await?.close().await?;
    let mut patient = Patient::start(&database, false)?;
    patient.until("something is committed", |ledger, _| ledger.acknowledged > 3).await?;

    let id = i32::try_from(patient.worker.id()).ok().and_then(Pid::from_raw);
    let maximum = getrlimit(Resource::Fsize).maximum;
    let limit = |bytes| Rlimit { current: bytes, maximum };
    prlimit(id, Resource::Fsize, limit(Some(1024)))?;
    patient.until("an outage is seen", |_, log| saying(log, DOWN) == 1).await?;
    patient.is_fast().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let log = patient.worker.log();
    assert_eq!((saying(&log, DOWN), saying(&log, UP)), (1, 0), "{}", log.join("\n"));

    prlimit(id, Resource::Fsize, limit(maximum))?;
    let before = patient.ledger.acknowledged;
    patient
        .until("it is committed again", |ledger, log| {
            saying(log, UP) == 1 && ledger.acknowledged > before + 3
        })
        .await?;
    let store = database.store().await?;
    patient.ends_well(&store).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_not_be_written_to_is_waited_for() -> Result<(), Error> {
    not_writable(0o444, 0o755).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_may_not_be_written_to_is_waited_for() -> Result<(), Error> {
    not_writable(0o444, 0o555).await
}

/// It is made so before the worker starts: what is open already can be written to.
async fn not_writable(file: u32, of_folder: u32) -> Result<(), Error> {
    let database = Database::sqlite()?;
    let store = database.store().await?;
    store.close().await?;
    drop(store);
    let path = database.path()?;
    give_away(&path)?;
    let folder = path.parent().ok_or("a folder")?;
    let writable = |writable: bool| -> Result<(), Error> {
        let (file, of_folder) = if writable { (0o644, 0o755) } else { (file, of_folder) };
        fs::set_permissions(&path, fs::Permissions::from_mode(file))?;
        Ok(fs::set_permissions(folder, fs::Permissions::from_mode(of_folder))?)
    };
    writable(false)?;
    let mut patient = Patient::start(&database, true)?;
    patient.until("an outage is seen", |_, log| saying(log, DOWN) == 1).await?;
    patient.is_fast().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let log = patient.worker.log();
    assert_eq!((saying(&log, DOWN), saying(&log, UP)), (1, 0), "{}", log.join("\n"));
    assert_eq!(patient.ledger.acknowledged, 0);

    writable(true)?;
    patient
        .until("it is committed", |ledger, log| saying(log, UP) == 1 && ledger.acknowledged > 3)
        .await?;
    let store = database.store().await?;
    patient.ends_well(&store).await
}
