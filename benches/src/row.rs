//! The rows of the table: what each one runs, and how all of them are run in turn.
//!
//! Every round runs one batch of every row, so that a machine which changes its speed changes it
//! for all rows alike.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Whose row it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Something to compare with that is no breaker.
    Baseline,
    /// This crate.
    Ours,
    /// Another crate.
    Peer,
}

/// Runs so many calls, on all threads together, and tells how long the threads took, added up.
pub type Batch = Box<dyn FnMut(u64) -> Duration>;

/// One row.
pub struct Row {
    scenario: String,
    subject: String,
    kind: Kind,
    calls: Option<u64>,
    batch: Batch,
    samples: Vec<f64>,
}

/// The figures of one row from one process, in nanoseconds a call.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Figures {
    /// What was done.
    pub scenario: String,
    /// To what.
    pub subject: String,
    /// Whose row it is.
    pub kind: Kind,
    /// The fastest round.
    pub min: f64,
    /// The median round.
    pub median: f64,
}

/// The allocations of one row.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Allocations {
    /// What was done.
    pub scenario: String,
    /// To what.
    pub subject: String,
    /// How many a call; none where each batch builds a breaker.
    pub per_call: Option<f64>,
}

/// The fewest rounds of a run that takes too long.
pub const FEWEST: u32 = 8;

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Batches of each row.
    pub rounds: u32,
    /// After this no round is begun, unless there were [`FEWEST`].
    pub at_most: Duration,
    /// About how long one batch is.
    pub batch: Duration,
}

/// Every row of a run.
#[derive(Default)]
pub struct Rows {
    filter: Option<String>,
    rows: Vec<Row>,
}

impl Rows {
    /// No rows yet; only those whose name contains `filter` will be taken.
    #[must_use]
    pub fn new(filter: Option<String>) -> Self {
        Self { filter: filter.map(|text| text.to_lowercase()), rows: Vec::new() }
    }

    /// Adds a row, unless the filter leaves it out: then it is not even built.
    pub fn add(
        &mut self,
        scenario: &str,
        subject: &str,
        kind: Kind,
        build: impl FnOnce() -> Batch,
    ) {
        self.push(scenario, subject, kind, None, build);
    }

    /// Adds a row whose batches have a given number of calls.
    pub fn add_fixed(
        &mut self,
        scenario: &str,
        subject: &str,
        kind: Kind,
        calls: u64,
        build: impl FnOnce() -> Batch,
    ) {
        self.push(scenario, subject, kind, Some(calls), build);
    }

    /// Whether the filter leaves anything of these subjects in a scenario.
    #[must_use]
    pub fn wants(&self, scenario: &str, subject: &str) -> bool {
        let name = format!("{scenario} / {subject}").to_lowercase();
        self.filter.as_ref().is_none_or(|text| name.contains(text))
    }

    fn push(
        &mut self,
        scenario: &str,
        subject: &str,
        kind: Kind,
        calls: Option<u64>,
        build: impl FnOnce() -> Batch,
    ) {
        if self.wants(scenario, subject) {
            self.rows.push(Row {
                scenario: scenario.to_owned(),
                subject: subject.to_owned(),
                kind,
                calls,
                batch: build(),
                samples: Vec::new(),
            });
        }
    }

    /// Runs every row in every round.
    #[must_use]
    pub fn run(mut self, length: Length) -> Vec<Figures> {
        let names: BTreeSet<_> = self.rows.iter().map(|r| (&r.scenario, &r.subject)).collect();
        assert_eq!(names.len(), self.rows.len(), "two rows have one name");
        for row in &mut self.rows {
            row.calibrate(length.batch);
        }
        let start = Instant::now();
        for round in 0..length.rounds {
            if round >= FEWEST && start.elapsed() >= length.at_most {
                break;
            }
            for row in &mut self.rows {
                row.sample();
            }
        }
        self.rows.into_iter().map(Row::figures).collect()
    }

    /// Counts the allocations of every row with a count of all allocations so far.
    #[must_use]
    pub fn allocations(self, count: fn() -> u64) -> Vec<Allocations> {
        self.rows.into_iter().map(|row| row.allocations(count)).collect()
    }
}

impl Row {
    /// Finds how many calls take about as long as a batch shall be.
    ///
    /// The best of three tries, since a thread that loses its core for a moment must not make
    /// short batches of all to come.
    fn calibrate(&mut self, batch: Duration) {
        let mut calls = 16;
        while self.calls.is_none() {
            let tries = [(); 3].map(|()| (self.batch)(calls));
            let took = tries.into_iter().min().unwrap_or_default();
            if took >= batch / 4 || calls >= 1 << 30 {
                let scale = batch.as_secs_f64() / took.as_secs_f64().max(1e-9);
                self.calls = Some(((calls as f64 * scale) as u64).max(16));
            }
            calls *= 2;
        }
    }

    /// One batch, after a short one that brings its data back into the caches.
    fn sample(&mut self) {
        let calls = self.calls.expect("calibrated");
        (self.batch)(calls / 16);
        let took = (self.batch)(calls);
        self.samples.push(took.as_secs_f64() * 1e9 / calls as f64);
    }

    /// What a longer batch allocates beyond what a shorter one does, so that what a batch
    /// allocates once is not counted.
    fn allocations(mut self, count: fn() -> u64) -> Allocations {
        const CALLS: u64 = 20_000;
        let mut counted = |calls| {
            let before = count();
            (self.batch)(calls);
            count() - before
        };
        let per_call = self.calls.is_none().then(|| {
            counted(CALLS);
            let once = counted(CALLS);
            let twice = counted(2 * CALLS);
            let more = (twice as f64 - once as f64) / CALLS as f64;
            // The channel between two threads allocates once in some batches.
            (more * 100.0).round() / 100.0 + 0.0
        });
        Allocations { scenario: self.scenario, subject: self.subject, per_call }
    }

    fn figures(mut self) -> Figures {
        self.samples.sort_by(f64::total_cmp);
        Figures {
            scenario: self.scenario,
            subject: self.subject,
            kind: self.kind,
            min: self.samples[0],
            median: self.samples[self.samples.len() / 2],
        }
    }
}

/// Times `work`.
#[inline(always)]
pub fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
