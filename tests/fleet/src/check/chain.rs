//! The versions of a lane are one chain.

use std::collections::{HashMap, HashSet};

use tower_breaker::circuit::Version;

use super::{
    verdict::{Defect, Verdict},
    writes::{Came, Place, Writes},
};
use crate::log::{FaultKind, Log};

/// How long after a tier is back a process may still go without it, in nanoseconds.
const BACK: u64 = 10_000_000_000;

pub(super) fn check(log: &Log, writes: &Writes<'_>, verdict: &mut Verdict) {
    let mut tried: HashMap<Place, HashSet<Version>> = HashMap::new();
    for written in &writes.all {
        let versions = tried.entry(written.place()).or_default();
        versions.insert(written.write.attempt.version);
        versions.extend(written.taken());
    }
    let mut unknown: HashMap<(Place, Version), String> = HashMap::new();
    let mut made = HashMap::new();
    let mut based = HashMap::new();
    let mut highest = HashMap::new();
    for written in &writes.all {
        verdict.counts.conflicts += u64::from(written.came == Came::Lost);
        let Some(version) = written.taken() else { continue };
        verdict.counts.writes += 1;
        let place = written.place();
        let what = format!("{}, {}", place.0, place.1.as_str());
        let change = written.write.attempt.change;

        let first = made.entry((place.clone(), version)).or_insert(*written);
        if first.write.attempt.change != change {
            verdict.wrong(
                Defect::VersionTwice,
                format!("{what}: {} and {} both wrote version {version}", first.who, written.who),
            );
        }

        let first = based.entry((place.clone(), written.write.expected)).or_insert(*written);
        if first.write.attempt.change != change {
            let away = |kind: FaultKind| kind.is_of_store();
            let excused = log.setup.tiered
                && [*first, *written].iter().any(|written| {
                    let from = written.began.saturating_sub(BACK);
                    log.was(written.who.slot, from, written.began, away)
                });
            if excused {
                verdict.counts.forks += 1;
            } else {
                verdict.wrong(
                    Defect::Fork,
                    format!(
                        "{what}: {} and {} both wrote over {:?}",
                        first.who, written.who, written.write.expected
                    ),
                );
            }
        }

        if let Some(base) = written.write.expected
            && base != Version::default()
            && !tried[&place].contains(&base)
        {
            unknown
                .entry((place.clone(), base))
                .or_insert_with(|| format!("{what}: {} wrote {version} over {base}", written.who));
        }

        let highest = highest.entry((place, written.who)).or_insert(version);
        if version < *highest {
            verdict.wrong(
                Defect::WentBack,
                format!("{what}: {} wrote {version} after {highest}", written.who),
            );
        }
        *highest = version.max(*highest);
    }
    // Of two tiers with different writes under one version, one is given a version above.
    let renumbered = if log.setup.tiered { verdict.counts.gave_way } else { 0 };
    verdict.counts.renumbered = renumbered.min(unknown.len() as u64);
    for what in unknown.into_values().skip(usize::try_from(renumbered).unwrap_or(usize::MAX)) {
        verdict.wrong(Defect::UnknownBase, what);
    }
    for wrong in &log.history {
        verdict.wrong(Defect::History, wrong.clone());
    }
}
