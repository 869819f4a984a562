//! Several processes fight over the same circuits.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use tower_breaker::{
    State,
    store::{CircuitRecord, Timestamp},
};

use crate::{
    Error,
    check::Chains,
    database::{Database, changes, records},
    ledger::Ledger,
    line::{Line, Standing},
    process::{PATIENCE, Worker},
};

/// How long processes have to agree once nothing happens any more.
const AGREE_WITHIN: Duration = Duration::from_secs(30);
/// How long conflicts are waited for, and a long run has longer.
const MEET_WITHIN: Duration = Duration::from_secs(60);

/// Who, where and for how long.
#[derive(Clone, Debug)]
pub struct RaceOptions {
    /// This program.
    pub program: PathBuf,
    /// `sqlite`, `postgres` or a URL.
    pub store: String,
    /// How many processes.
    pub processes: usize,
    /// How many conflicts they have to meet.
    pub conflicts: u64,
}

/// What happened.
#[derive(Debug, Default)]
pub struct RaceReport {
    store: String,
    processes: usize,
    wanted: u64,
    tried: u64,
    acknowledged: u64,
    conflicts: u64,
    changes: usize,
    took: Duration,
    agreed_after: Duration,
    states: Vec<String>,
    wrong: Vec<String>,
}

impl RaceReport {
    /// Nothing was wrong, and there were conflicts enough.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.conflicts >= self.wanted
    }
}

impl fmt::Display for RaceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "race on {}: {} processes, {} conflicts (at least {}) in {:.1} s; {} tried, {} \
             acknowledged",
            self.store,
            self.processes,
            self.conflicts,
            self.wanted,
            self.took.as_secs_f64(),
            self.tried,
            self.acknowledged,
        )?;
        writeln!(
            f,
            "  {} changes in the history, one chain a lane; all processes and the store agreed after \
             {:.0} ms: {}",
            self.changes,
            self.agreed_after.as_secs_f64() * 1000.0,
            self.states.join(", ")
        )?;
        write!(f, "  wrong: {}", self.wrong.len())?;
        for wrong in self.wrong.iter().take(20) {
            write!(f, "\n    {wrong}")?;
        }
        Ok(())
    }
}

/// Lets processes fight until they met so many conflicts, and checks what they agree on.
///
/// # Errors
///
/// If the scenario itself fails. What it finds wrong is in the report.
pub async fn run(options: &RaceOptions) -> Result<RaceReport, Error> {
    let database = Database::of(&options.store).await?;
    let store = database.store().await?;
    let mut report = RaceReport {
        store: options.store.split(':').next().unwrap_or_default().to_owned(),
        processes: options.processes,
        wanted: options.conflicts,
        ..RaceReport::default()
    };
    let mut ledger = Ledger::default();
    let arguments = ["--store", &database.url, "--load", "fighting"].map(str::to_owned);
    let mut workers = Vec::new();
    for _ in 0..options.processes {
        workers.push(Worker::start(&options.program, &arguments)?);
    }

    let started = Instant::now();
    let patience = MEET_WITHIN + Duration::from_millis(200) * u32::try_from(options.conflicts)?;
    while ledger.conflicts < options.conflicts && started.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(50)).await;
        hear(&mut workers, &mut ledger);
    }
    for worker in &mut workers {
        worker.tell("stop")?;
    }
    report.took = started.elapsed();

    let stopped = Instant::now();
    let standing = loop {
        let mut standing = Vec::new();
        for worker in &mut workers {
            standing.push(ask(worker, &mut ledger).await?);
        }
        let records = records(&store).await?;
        if agree(&standing, &records) {
            break standing;
        }
        if stopped.elapsed() > AGREE_WITHIN {
            report.wrong.push(format!("no agreement: {standing:?}, and the store has {records:?}"));
            break standing;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    report.agreed_after = stopped.elapsed();
    let first = standing.into_iter().next().unwrap_or_default();
    report.states = first
        .iter()
        .map(|circuit| format!("{} {} at {:?}", circuit.service, circuit.state, circuit.version))
        .collect();

    for mut worker in workers {
        worker.tell("quit")?;
        loop {
            let line = worker.next(PATIENCE).await?;
            if let Line::Left { uncommitted, unwritten } = line {
                if (uncommitted, unwritten) != (0, 0) {
                    report.wrong.push(format!("left: {uncommitted} circuits, {unwritten} events"));
                }
                break;
            }
            ledger.note(&line);
        }
        report.wrong.extend(complaints(&worker.log()));
        worker.end_well()?;
    }
    let events = changes(&store, Timestamp::EPOCH).await?;
    let records = records(&store).await?;
    let mut chains = Chains::default();
    report.wrong.extend(chains.check(&events, &records, &mut ledger));
    report.changes = chains.len();
    report.tried = ledger.tried;
    report.acknowledged = ledger.acknowledged;
    report.conflicts = ledger.conflicts;
    report.wrong.append(&mut ledger.failures);
    Ok(report)
}

fn hear(workers: &mut [Worker], ledger: &mut Ledger) {
    for line in workers.iter_mut().flat_map(Worker::said) {
        ledger.note(&line);
    }
}

async fn ask(worker: &mut Worker, ledger: &mut Ledger) -> Result<Vec<Standing>, Error> {
    worker.tell("states")?;
    loop {
        match worker.next(PATIENCE).await? {
            Line::States { circuits } => return Ok(circuits),
            line => ledger.note(&line),
        }
    }
}

/// Whether all processes have the state that the store has.
fn agree(standing: &[Vec<Standing>], records: &[CircuitRecord]) -> bool {
    standing.iter().flatten().all(|here| {
        records.iter().find(|record| *record.service == *here.service).is_some_and(|record| {
            let state = record.override_.value.map_or(record.state.state, State::from);
            here.state == state && here.version == Some(record.state.version)
        })
    })
}

/// What no process should have logged.
fn complaints(log: &[String]) -> impl Iterator<Item = String> + '_ {
    const BARRED: [&str; 5] =
        ["locked", "does not answer", "takes no writes", " ERROR ", "panicked"];
    log.iter().filter(|line| BARRED.iter().any(|barred| line.contains(barred))).cloned()
}
