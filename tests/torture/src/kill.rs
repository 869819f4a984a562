//! A worker is killed again and again, wherever it is, and started anew on what it left.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use tower_breaker::{
    State,
    circuit::Version,
    store::{CircuitRecord, Timestamp, sql::SqlStore},
};

use crate::{
    Error,
    check::Chains,
    database::{Database, changes, records},
    ledger::Ledger,
    line::{Line, Point, Recovered},
    process::{PATIENCE, Worker},
    worker::now,
};

/// How often, and on what.
#[derive(Clone, Debug)]
pub struct KillOptions {
    /// This program.
    pub program: PathBuf,
    /// `sqlite`, `postgres` or a URL.
    pub store: String,
    /// How many kills.
    pub kills: u32,
    /// What chance is begun with.
    pub seed: u64,
}

/// What happened.
#[derive(Debug, Default)]
pub struct KillReport {
    store: String,
    seed: u64,
    /// Kills at each point, and those at any moment.
    at: HashMap<Option<Point>, u32>,
    kills: u32,
    tried: u64,
    acknowledged: u64,
    conflicts: u64,
    changes: usize,
    /// Circuits that were found again.
    recovered: u32,
    /// Those of them that were open for a minute, with time left, and no clock had jumped.
    minutes: u32,
    /// The most that their remaining time was off, in microseconds.
    worst: i64,
    /// How often the clock went forward by a day, and back by one.
    jumps: [u32; 2],
    took: Duration,
    wrong: Vec<String>,
}

impl KillReport {
    /// Nothing was wrong, and there was enough to be sure of it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let at_points = self.at_points();
        self.wrong.is_empty()
            && at_points * 4 >= self.kills
            && Point::ALL.iter().all(|&point| self.at(Some(point)) > 0)
            && self.acknowledged > u64::from(self.kills)
            && self.minutes > 0
            && self.jumps.iter().all(|&jumps| jumps > 0)
    }

    fn at(&self, point: Option<Point>) -> u32 {
        self.at.get(&point).copied().unwrap_or_default()
    }

    fn at_points(&self) -> u32 {
        Point::ALL.iter().map(|&point| self.at(Some(point))).sum()
    }
}

impl fmt::Display for KillReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "kill on {}: {} kills in {:.1} s (seed {}): {} before the write, {} during it, {} after \
             it and before its acknowledgement ({:.0} % at these points), {} at any moment",
            self.store,
            self.kills,
            self.took.as_secs_f64(),
            self.seed,
            self.at(Some(Point::Before)),
            self.at(Some(Point::During)),
            self.at(Some(Point::After)),
            f64::from(self.at_points()) * 100.0 / f64::from(self.kills.max(1)),
            self.at(None),
        )?;
        writeln!(
            f,
            "  {} changes in the history, one chain a lane; {} tried, {} acknowledged, {} conflicts",
            self.changes, self.tried, self.acknowledged, self.conflicts
        )?;
        writeln!(
            f,
            "  {} circuits recovered as they were committed; {} of them open for a minute, the \
             remaining time off by at most {:.1} ms; the clock jumped {} times forward and {} times \
             back by a day",
            self.recovered,
            self.minutes,
            self.worst as f64 / 1000.0,
            self.jumps[0],
            self.jumps[1]
        )?;
        write!(f, "  wrong: {}", self.wrong.len())?;
        for wrong in self.wrong.iter().take(20) {
            write!(f, "\n    {wrong}")?;
        }
        Ok(())
    }
}

/// How a worker ends.
#[derive(Clone, Copy, Debug)]
struct End {
    point: Option<Point>,
    /// Which write it stops at, or how long it lives.
    write: u64,
    life: Duration,
}

/// A day of the store's clock, in microseconds.
const DAY: i64 = 86_400_000_000;
/// How exact a remaining time has to be.
const EXACT: i64 = 1_000_000;

/// Kills workers on a store, and checks after each what they left.
///
/// # Errors
///
/// If the scenario itself fails. What it finds wrong is in the report.
pub async fn run(options: &KillOptions) -> Result<KillReport, Error> {
    let database = Database::of(&options.store).await?;
    let store = database.store().await?;
    let mut run = Run {
        database,
        store,
        random: fastrand::Rng::with_seed(options.seed),
        ledger: Ledger::default(),
        chains: Chains::default(),
        versions: HashMap::new(),
        jumped: HashMap::new(),
        report: KillReport {
            store: options.store.split(':').next().unwrap_or_default().to_owned(),
            seed: options.seed,
            ..KillReport::default()
        },
    };
    let started = Instant::now();
    for kill in 0..options.kills {
        run.once(options, kill).await?;
        if run.report.wrong.len() > 20 {
            break;
        }
    }
    run.finally().await?;
    run.report.took = started.elapsed();
    Ok(run.report)
}

struct Run {
    database: Database,
    store: SqlStore,
    random: fastrand::Rng,
    ledger: Ledger,
    chains: Chains,
    /// The versions that the records had.
    versions: HashMap<String, Version>,
    /// The versions whose time was moved.
    jumped: HashMap<String, Version>,
    report: KillReport,
}

impl Run {
    /// One life of a worker, from what the one before left to what it leaves.
    async fn once(&mut self, options: &KillOptions, kill: u32) -> Result<(), Error> {
        let since = Timestamp::from_micros(now() - 10_000_000).unwrap_or_default();
        // By turns, so that a short run has each of them too.
        let jumps = (kill % 3 == 2).then_some(kill.is_multiple_of(2));
        if let Some(forward) = jumps {
            self.jump(forward).await?;
        }
        let end = End {
            point: match kill % 6 {
                1 => Some(Point::Before),
                3 => Some(Point::During),
                5 => Some(Point::After),
                _ => None,
            },
            write: self.random.u64(1..12),
            life: Duration::from_millis(self.random.u64(5..400)),
        };
        let before = records(&self.store).await?;
        let mut arguments = vec![
            "--store".to_owned(),
            self.database.url.clone(),
            "--load".to_owned(),
            "flapping".to_owned(),
        ];
        if let Some(point) = end.point {
            arguments.extend(["--hold".to_owned(), format!("{}:{}", point.as_str(), end.write)]);
        }
        let mut worker = Worker::start(&options.program, &arguments)?;
        let recovered = self.begin(&mut worker).await?;
        self.compare(&before, &recovered);
        self.live(&mut worker, end).await?;
        let log = worker.log();
        for line in worker.kill()? {
            self.ledger.note(&line);
        }
        self.report.kills += 1;
        *self.report.at.entry(end.point).or_default() += 1;
        let outages =
            log.iter().filter(|line| line.contains("does not answer") || line.contains(" ERROR "));
        self.report.wrong.extend(outages.cloned());
        self.database.is_quiet().await?;
        self.check(since).await?;
        match jumps {
            Some(forward) => self.jump_back(forward).await,
            None => Ok(()),
        }
    }

    /// Hears what a worker found.
    async fn begin(&mut self, worker: &mut Worker) -> Result<Vec<Recovered>, Error> {
        let mut recovered = Vec::new();
        loop {
            match worker.next(PATIENCE).await? {
                Line::Recovered(circuit) => recovered.push(circuit),
                Line::Ready => return Ok(recovered),
                line => self.ledger.note(&line),
            }
        }
    }

    /// Lets it work until it is where it is to be killed.
    async fn live(&mut self, worker: &mut Worker, end: End) -> Result<(), Error> {
        let Some(point) = end.point else {
            tokio::time::sleep(end.life).await;
            return Ok(());
        };
        loop {
            let line = worker.next(PATIENCE).await?;
            self.ledger.note(&line);
            if let Line::Hold { point: here, .. } = line {
                if here != point {
                    return Err(format!("a worker holds at {here:?} but not at {point:?}").into());
                }
                if point == Point::During {
                    let moment = Duration::from_micros(self.random.u64(0..1500));
                    std::thread::sleep(moment);
                }
                return Ok(());
            }
        }
    }

    /// Moves the times in the store: the same as if the store's clock had jumped the other way.
    async fn jump(&mut self, forward: bool) -> Result<(), Error> {
        self.jumped.clear();
        for record in records(&self.store).await? {
            self.jumped.insert(record.service.to_string(), record.state.version);
        }
        self.report.jumps[usize::from(!forward)] += 1;
        self.shift(if forward { -DAY } else { DAY }, |_| true).await
    }

    /// Sets the clock right again.
    async fn jump_back(&mut self, forward: bool) -> Result<(), Error> {
        let jumped = std::mem::take(&mut self.jumped);
        let still = |record: &CircuitRecord| {
            jumped.get(record.service.as_str()) == Some(&record.state.version)
        };
        self.shift(if forward { DAY } else { -DAY }, still).await
    }

    async fn shift(&self, by: i64, which: impl Fn(&CircuitRecord) -> bool) -> Result<(), Error> {
        for record in records(&self.store).await?.iter().filter(|record| which(record)) {
            self.database
                .execute(&format!(
                    "UPDATE circuit_breaker_states SET state_changed_at = state_changed_at + ({by}) \
                     WHERE service_name = '{}'",
                    record.service
                ))
                .await?;
        }
        Ok(())
    }

    /// Compares what a worker found with what was there.
    fn compare(&mut self, before: &[CircuitRecord], recovered: &[Recovered]) {
        if before.len() != recovered.len() {
            self.report.wrong.push(format!(
                "{} circuits were there and {} were recovered",
                before.len(),
                recovered.len()
            ));
        }
        for found in recovered {
            let Some(record) = before.iter().find(|record| *record.service == *found.service)
            else {
                self.report.wrong.push(format!("recovered from nothing: {found:?}"));
                continue;
            };
            self.report.recovered += 1;
            let live = match (record.override_.value, record.state.state) {
                (Some(over), _) => State::from(over),
                // A round of probes ends with the process that was at it.
                (None, State::HalfOpen) => State::Open,
                (None, state) => state,
            };
            let (state, version) = (record.state.state, record.state.version);
            if (found.state, found.version, found.live_state) != (state, version, live) {
                self.report.wrong.push(format!("recovered {found:?} from {record:?}"));
            }
            let (off, at_most) = off(record, found);
            let jumped = self.jumped.get(&found.service) == Some(&version);
            if !jumped && found.service == "minute" && found.live_remaining > Some(0) {
                self.report.minutes += 1;
                self.report.worst = self.report.worst.max(at_most);
            }
            if off > EXACT {
                self.report.wrong.push(format!("off by {off} µs: {found:?} from {record:?}"));
            }
        }
    }

    async fn check(&mut self, since: Timestamp) -> Result<(), Error> {
        // The history first: what is in it is in the record that is read after it, and the worker is
        // dead.
        let events = changes(&self.store, since).await?;
        let records = records(&self.store).await?;
        for record in &records {
            let version = self.versions.entry(record.service.to_string()).or_default();
            if record.state.version < *version {
                self.report.wrong.push(format!(
                    "{}: the version went back from {version} to {}",
                    record.service, record.state.version
                ));
            }
            *version = record.state.version;
        }
        self.report.wrong.extend(self.chains.check(&events, &records, &mut self.ledger));
        Ok(())
    }

    /// Checks the whole history at once.
    async fn finally(&mut self) -> Result<(), Error> {
        let events = changes(&self.store, Timestamp::EPOCH).await?;
        let records = records(&self.store).await?;
        let mut chains = Chains::default();
        self.report.wrong.extend(chains.check(&events, &records, &mut self.ledger));
        self.report.changes = chains.len();
        if chains.len() != self.chains.len() {
            self.report.wrong.push(format!(
                "the history has {} changes, and had {}",
                chains.len(),
                self.chains.len()
            ));
        }
        self.report.tried = self.ledger.tried;
        self.report.acknowledged = self.ledger.acknowledged;
        self.report.conflicts = self.ledger.conflicts;
        self.report.wrong.append(&mut self.ledger.failures);
        Ok(())
    }
}

/// By how much the remaining times are certainly off, and by how much they may be at most, in
/// microseconds.
fn off(record: &CircuitRecord, found: &Recovered) -> (i64, i64) {
    let open_for = i64::try_from(record.state.open_for.as_micros()).unwrap_or(i64::MAX);
    let changed_at = record.state.changed_at.as_micros();
    // What was left at a time by the store's clock, which is that of this machine.
    let left = |at: i64| (open_for - (at - changed_at).max(0)).clamp(0, open_for);
    let (from, until) = (found.started_at, found.at);
    // It goes on from where it was read by a clock that does not jump.
    let (least, most) = ((left(until) - (until - from)).max(0), left(from));
    let open = |remaining: Option<i64>| match remaining {
        Some(remaining) => (
            (least - remaining).max(remaining - most).max(0),
            (remaining - least).max(most - remaining),
        ),
        None => (i64::MAX, i64::MAX),
    };
    // None of it where there is none.
    let none = |remaining: Option<i64>| remaining.map_or((0, 0), |left| (left, left));
    let registry = match record.state.state {
        State::Open => open(found.remaining),
        _ => none(found.remaining),
    };
    let live = match (record.override_.value, record.state.state) {
        (None, State::Open) => open(found.live_remaining),
        _ => none(found.live_remaining),
    };
    (registry.0.max(live.0), registry.1.max(live.1))
}
