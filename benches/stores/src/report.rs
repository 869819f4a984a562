//! What was measured, against what it has to be.

use std::fmt;

/// Rows and targets, in the order they were measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<(String, String)>,
    targets: Vec<Target>,
}

struct Target {
    name: String,
    measured: f64,
    bound: f64,
    at_least: bool,
}

impl Report {
    pub(crate) fn row(&mut self, name: impl Into<String>, figures: impl Into<String>) {
        let (name, figures) = (name.into(), figures.into());
        eprintln!("{name}: {figures}");
        self.rows.push((name, figures));
    }

    pub(crate) fn at_most(&mut self, name: impl Into<String>, measured: f64, bound: f64) {
        self.targets.push(Target { name: name.into(), measured, bound, at_least: false });
    }

    pub(crate) fn at_least(&mut self, name: impl Into<String>, measured: f64, bound: f64) {
        self.targets.push(Target { name: name.into(), measured, bound, at_least: true });
    }

    pub(crate) fn all_met(&self) -> bool {
        self.targets.iter().all(Target::is_met)
    }
}

impl Target {
    fn is_met(&self) -> bool {
        if self.at_least { self.measured >= self.bound } else { self.measured <= self.bound }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for (name, figures) in &self.rows {
            writeln!(f, "{name:<52} {figures}")?;
        }
        writeln!(f)?;
        for target in &self.targets {
            let Target { name, measured, bound, at_least } = target;
            let (met, sign) = (
                if target.is_met() { "met   " } else { "MISSED" },
                if *at_least { ">=" } else { "<=" },
            );
            writeln!(f, "{met}  {name:<60} {measured:>9.2} {sign} {bound:.2}")?;
        }
        let met = self.targets.iter().filter(|target| target.is_met()).count();
        writeln!(f, "\n{met} of {} targets met", self.targets.len())
    }
}

/// A quantile of times, in microseconds.
pub(crate) fn quantile(times: &mut [f64], q: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    let at = ((times.len() as f64 * q).ceil() as usize).clamp(1, times.len());
    times[at - 1]
}
