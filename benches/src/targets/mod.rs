//! What must hold, and whether it does.
//!
//! A target on a time compares rows of one process, one row with a sum of others, and the best of
//! the processes counts. Where a target was stated in nanoseconds, these were nanoseconds of a
//! machine on which `Instant::now` took [`REFERENCE`]; here they are as many parts of this run's
//! `Instant::now`. Only against the fastest peer the best process of each row counts: which process
//! a peer is unlucky in is no merit of this crate.

mod list;

use serde::Serialize;

pub use list::list;

use crate::memory::Memory;
use crate::row::{Figures, Kind};
use crate::scenario::{CLOCK, INSTANT_NOW};

/// What `Instant::now` took, in nanoseconds, where the targets were stated.
pub const REFERENCE: f64 = 30.0;

/// One thing that must hold.
#[derive(Debug)]
pub struct Target {
    /// In words.
    name: String,
    goal: Goal,
}

#[derive(Debug)]
enum Goal {
    /// A row that takes at most the sum of these.
    Time { row: Name, bound: Vec<Part> },
    /// A row that takes less than any peer's row in its scenario.
    Fastest { row: Name },
    /// Rows of which none allocates more often a call.
    Allocations { rows: Vec<Name>, at_most: f64 },
    /// At most so many bytes a key.
    BytesAKey { subject: &'static str, at_most: f64 },
}

/// A row's scenario and subject.
type Name = (String, &'static str);

/// A part of the bound of a time.
#[derive(Debug)]
enum Part {
    /// So many times another row.
    Times(f64, Name),
    /// So many nanoseconds where `Instant::now` takes [`REFERENCE`].
    Nanoseconds(f64),
}

/// Whether a target is met.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// The target in words.
    pub target: String,
    /// What was measured: nanoseconds, allocations or bytes.
    pub measured: Option<f64>,
    /// What it may be at most.
    pub bound: Option<f64>,
    /// What it may be at most if stated nanoseconds are taken as they are.
    pub bound_as_stated: Option<f64>,
    /// One divided by the other.
    pub ratio: Option<f64>,
    /// At most 1. A target whose rows were not measured is not met.
    pub met: bool,
}

impl Target {
    /// Judges what all processes found.
    #[must_use]
    pub fn judge(&self, processes: &[Vec<Figures>], memory: &Memory) -> Verdict {
        let found = match &self.goal {
            Goal::Time { row, bound } => processes
                .iter()
                .filter_map(|figures| time(figures, row, bound))
                .min_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1))),
            Goal::Fastest { row } => fastest(processes, row),
            Goal::Allocations { rows, at_most } => {
                let rows = rows.iter();
                let counts = rows.map(|(scenario, subject)| memory.allocations(scenario, subject));
                let counts: Option<Vec<f64>> = counts.collect();
                let most = counts.and_then(|counts| counts.into_iter().max_by(f64::total_cmp));
                most.map(|measured| (measured, *at_most, *at_most))
            }
            Goal::BytesAKey { subject, at_most } => memory
                .keys
                .iter()
                .find(|key| key.subject == *subject)
                .map(|key| (key.bytes, *at_most, *at_most)),
        };
        Verdict {
            target: self.name.clone(),
            measured: found.map(|(measured, _, _)| measured),
            bound: found.map(|(_, bound, _)| bound),
            bound_as_stated: found.map(|(_, _, as_stated)| as_stated),
            ratio: found.and_then(|(measured, bound, _)| ratio(measured, bound)),
            met: found.is_some_and(|(measured, bound, _)| measured <= bound),
        }
    }
}

/// None if nothing is allowed: then there is no ratio.
fn ratio(measured: f64, bound: f64) -> Option<f64> {
    (bound > 0.0).then_some(measured / bound)
}

/// The row's best process, and the best process of the fastest peer, twice.
fn fastest(processes: &[Vec<Figures>], (scenario, subject): &Name) -> Option<(f64, f64, f64)> {
    let rows = || processes.iter().flatten().filter(|row| row.scenario == *scenario);
    let least =
        |rows: &mut dyn Iterator<Item = &Figures>| rows.map(|row| row.min).min_by(f64::total_cmp);
    let ours = least(&mut rows().filter(|row| row.subject == *subject))?;
    let peers = least(&mut rows().filter(|row| row.kind == Kind::Peer))?;
    Some((ours, peers, peers))
}

/// The time measured, its bound, and its bound as stated.
fn time(figures: &[Figures], row: &Name, bound: &[Part]) -> Option<(f64, f64, f64)> {
    let find = |scenario: &str, subject: &str| {
        let mut rows = figures.iter();
        let row = rows.find(|row| row.scenario == scenario && row.subject == subject)?;
        Some(row.min)
    };
    let scale = find(CLOCK, INSTANT_NOW)? / REFERENCE;
    let (mut scaled, mut as_stated) = (0.0, 0.0);
    for part in bound {
        let (here, there) = match part {
            Part::Times(factor, (scenario, subject)) => {
                let part = factor * find(scenario, subject)?;
                (part, part)
            }
            Part::Nanoseconds(n) => (n * scale, *n),
        };
        scaled += here;
        as_stated += there;
    }
    Some((find(&row.0, row.1)?, scaled, as_stated))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(rows: &[(&str, &str, Kind, f64)]) -> Vec<Figures> {
        let row = |&(scenario, subject, kind, min): &(&str, &str, Kind, f64)| Figures {
            scenario: scenario.to_owned(),
            subject: subject.to_owned(),
            kind,
            min,
            median: min,
        };
        rows.iter().map(row).collect()
    }

    fn target(bound: Vec<Part>) -> Target {
        let row = ("closed".to_owned(), "ours");
        Target { name: String::new(), goal: Goal::Time { row, bound } }
    }

    const CLOCK_AT_15: (&str, &str, Kind, f64) = (CLOCK, INSTANT_NOW, Kind::Baseline, 15.0);

    #[test]
    fn nanoseconds_follow_the_clock() {
        let limit = Part::Times(1.0, ("closed".to_owned(), "limit"));
        let target = target(vec![limit, Part::Nanoseconds(10.0)]);
        let run = figures(&[
            CLOCK_AT_15,
            ("closed", "limit", Kind::Baseline, 4.0),
            ("closed", "ours", Kind::Ours, 10.0),
        ]);
        let verdict = target.judge(&[run], &Memory::default());
        assert_eq!((verdict.bound, verdict.bound_as_stated), (Some(9.0), Some(14.0)));
        assert!(!verdict.met);
    }

    #[test]
    fn the_best_process_counts() {
        let run = |ours| figures(&[CLOCK_AT_15, ("closed", "ours", Kind::Ours, ours)]);
        let target = target(vec![Part::Nanoseconds(24.0)]);
        let verdict = target.judge(&[run(13.0), run(11.0)], &Memory::default());
        assert_eq!((verdict.measured, verdict.bound), (Some(11.0), Some(12.0)));
        assert!(verdict.met);
    }

    #[test]
    fn a_peers_best_process_counts_too() {
        let row = ("closed".to_owned(), "ours");
        let target = Target { name: String::new(), goal: Goal::Fastest { row } };
        let run = |ours, peer| {
            figures(&[
                ("closed", "ours", Kind::Ours, ours),
                ("closed", "a", Kind::Peer, peer),
                ("closed", "b", Kind::Peer, 20.0),
                ("open", "b", Kind::Peer, 1.0),
            ])
        };
        let verdict = target.judge(&[run(13.0, 18.0), run(11.0, 9.0)], &Memory::default());
        assert_eq!((verdict.measured, verdict.bound), (Some(11.0), Some(9.0)));
        assert!(!verdict.met);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let run = figures(&[CLOCK_AT_15]);
        let verdict = target(vec![Part::Nanoseconds(1.0)]).judge(&[run], &Memory::default());
        assert!(!verdict.met && verdict.measured.is_none());
    }
}
