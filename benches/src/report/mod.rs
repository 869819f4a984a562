//! Everything that was found, to be read by a person or, as JSON, by a program.

mod table;

use serde::Serialize;

use crate::memory::{Bytes, Memory};
use crate::row::{Figures, Kind};
use crate::targets::{self, Verdict};

/// All figures and all verdicts.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it was measured.
    pub machine: Machine,
    /// Time and allocations a call.
    pub rows: Vec<Row>,
    /// Bytes a breaker.
    pub breakers: Vec<Bytes>,
    /// Bytes a key.
    pub keys: Vec<Bytes>,
    /// Each target; of a filtered run only those that could be judged.
    pub targets: Vec<Verdict>,
}

/// What matters of the machine.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// The operating system.
    pub os: &'static str,
    /// The processor's architecture.
    pub arch: &'static str,
    /// How many threads can run at once.
    pub threads: usize,
}

/// One row over all processes, in nanoseconds a call.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What was done.
    pub scenario: String,
    /// To what.
    pub subject: String,
    /// Whose row it is.
    pub kind: Kind,
    /// The fastest round of all processes.
    pub min_ns: f64,
    /// The median of the processes' medians.
    pub median_ns: f64,
    /// The fastest round of each process.
    pub process_min_ns: Vec<f64>,
    /// The median round of each process.
    pub process_median_ns: Vec<f64>,
    /// Allocations a call.
    pub allocations: Option<f64>,
}

impl Report {
    /// Puts together what the processes found.
    #[must_use]
    pub fn new(processes: &[Vec<Figures>], memory: Memory, filtered: bool) -> Self {
        let rows = processes.first().map_or(&[][..], Vec::as_slice);
        let rows = rows.iter().map(|row| Row::new(row, processes, &memory)).collect();
        let targets = targets::list();
        let verdicts = targets.iter().map(|target| target.judge(processes, &memory));
        let targets = verdicts.filter(|one| !filtered || one.measured.is_some()).collect();
        let machine = Machine {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            threads: std::thread::available_parallelism().map_or(1, Into::into),
        };
        Self { machine, rows, breakers: memory.breakers, keys: memory.keys, targets }
    }

    /// Whether every target is met.
    #[must_use]
    pub fn all_met(&self) -> bool {
        self.targets.iter().all(|target| target.met)
    }
}

impl Row {
    fn new(row: &Figures, processes: &[Vec<Figures>], memory: &Memory) -> Self {
        let same =
            |other: &&Figures| other.scenario == row.scenario && other.subject == row.subject;
        let all: Vec<_> =
            processes.iter().filter_map(|figures| figures.iter().find(same)).collect();
        let mins: Vec<_> = all.iter().map(|row| row.min).collect();
        let medians: Vec<_> = all.iter().map(|row| row.median).collect();
        let mut sorted = medians.clone();
        sorted.sort_by(f64::total_cmp);
        Self {
            scenario: row.scenario.clone(),
            subject: row.subject.clone(),
            kind: row.kind,
            min_ns: mins.iter().copied().fold(f64::INFINITY, f64::min),
            median_ns: sorted[sorted.len() / 2],
            process_min_ns: mins,
            process_median_ns: medians,
            allocations: memory.allocations(&row.scenario, &row.subject),
        }
    }
}
