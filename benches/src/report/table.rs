//! The report as text.

use std::fmt::{Display, Formatter, Result};

use super::{Report, Row};
use crate::memory::Bytes;
use crate::scenario::{CLOCK, INSTANT_NOW};
use crate::targets::Verdict;

/// Width of the first column.
const NAMES: usize = 68;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let rows = self.rows.iter();
        let clock = rows
            .clone()
            .find(|row| row.scenario == CLOCK && row.subject == INSTANT_NOW)
            .map(|row| row.min_ns);
        let mut scenarios: Vec<&str> = Vec::new();
        for row in rows {
            if !scenarios.contains(&row.scenario.as_str()) {
                scenarios.push(&row.scenario);
            }
        }
        for scenario in scenarios {
            title(f, scenario, ["min ns", "median ns", "x clock", "allocations"])?;
            for row in self.rows.iter().filter(|row| row.scenario == scenario) {
                line(f, row, clock)?;
            }
        }
        bytes(f, "bytes a breaker", &self.breakers)?;
        bytes(f, "bytes a key, 100,000 keys", &self.keys)?;
        if self.targets.is_empty() {
            return Ok(());
        }
        title(f, "target", ["measured", "at most", "ratio", "as stated"])?;
        self.targets.iter().try_for_each(|target| verdict(f, target))?;
        let unmeasured = self.targets.iter().filter(|target| target.measured.is_none()).count();
        let missed = self.targets.iter().filter(|target| !target.met).count() - unmeasured;
        writeln!(f, "\n{missed} missed, {unmeasured} not measured, of {}", self.targets.len())
    }
}

fn title(f: &mut Formatter<'_>, name: &str, columns: [&str; 4]) -> Result {
    let [a, b, c, d] = columns;
    writeln!(f, "\n{name:NAMES$} {a:>10} {b:>10} {c:>8} {d:>12}")
}

fn line(f: &mut Formatter<'_>, row: &Row, clock: Option<f64>) -> Result {
    write!(f, "  {:1$}", row.subject, NAMES - 2)?;
    write!(f, " {:>10.1} {:>10.1}", row.min_ns, row.median_ns)?;
    optional(f, clock.map(|clock| row.min_ns / clock), 8, 2)?;
    optional(f, row.allocations, 12, 2)?;
    writeln!(f)
}

fn bytes(f: &mut Formatter<'_>, name: &str, all: &[Bytes]) -> Result {
    if !all.is_empty() {
        writeln!(f, "\n{name}")?;
    }
    all.iter().try_for_each(|of| writeln!(f, "  {:1$} {2:>10.0}", of.subject, NAMES - 2, of.bytes))
}

fn verdict(f: &mut Formatter<'_>, verdict: &Verdict) -> Result {
    write!(f, "  {:1$}", verdict.target, NAMES - 2)?;
    optional(f, verdict.measured, 10, 1)?;
    optional(f, verdict.bound, 10, 1)?;
    optional(f, verdict.ratio, 8, 2)?;
    optional(f, verdict.bound_as_stated, 12, 1)?;
    let word = match (verdict.measured, verdict.met) {
        (None, _) => "not measured",
        (_, true) => "ok",
        (_, false) => "MISSED",
    };
    writeln!(f, "  {word}")
}

fn optional(f: &mut Formatter<'_>, number: Option<f64>, width: usize, digits: usize) -> Result {
    match number {
        Some(number) => write!(f, " {number:>width$.digits$}"),
        None => write!(f, " {:>width$}", "-"),
    }
}
