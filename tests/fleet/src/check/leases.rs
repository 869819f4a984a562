//! One process holds a lease, and what a lost one decided changes nothing.

use std::collections::{BTreeMap, HashMap};

use tower_breaker::{State, store::Lane};

use super::{
    probes::{Rounds, Sort},
    verdict::{Defect, Verdict},
    writes::{Writes, Written},
};
use crate::log::{FaultKind, Log};

/// How long it may take from the admission of a call until it is stamped, on a machine that has other
/// things to do. Half a term lies between the last admission under a lease and the first of the next.
const STAMP: u64 = 100_000_000;

/// What a round may come to.
const RESULTS: [&str; 4] =
    ["probes_succeeded", "probes_failed", "probes_slow", "half_open_expired"];

pub(super) fn check(log: &Log, writes: &Writes<'_>, verdict: &mut Verdict) {
    let rounds = Rounds::of(log, writes);
    let mut leases: BTreeMap<&str, Vec<Written<'_>>> = BTreeMap::new();
    for written in &writes.all {
        if written.taken().is_some() && written.begins_lease() {
            verdict.counts.leases += 1;
            leases.entry(&written.write.attempt.service).or_default().push(*written);
        }
    }
    let mut admitted: HashMap<u64, Vec<u64>> = HashMap::new();
    for round in &rounds.all {
        if let Sort::Leased { token, .. } = round.sort {
            let calls = round.arrivals.calls.iter().map(|call| call.admitted);
            admitted.entry(token).or_default().extend(calls);
        }
    }
    for (service, mut leases) in leases {
        leases.sort_by_key(|lease| lease.ended);
        for pair in leases.windows(2) {
            let [one, next] = pair else { continue };
            overlap(log, service, *one, *next, &admitted, verdict);
        }
    }
    late(writes, verdict);
}

/// Whether probes were admitted under a lease after the next one had been taken.
fn overlap(
    log: &Log,
    service: &str,
    one: Written<'_>,
    next: Written<'_>,
    admitted: &HashMap<u64, Vec<u64>>,
    verdict: &mut Verdict,
) {
    let (Some(lease), Some(taken)) = (&one.write.lease, next.ended) else { return };
    for at in admitted.get(&lease.token).into_iter().flatten() {
        if *at <= taken + STAMP {
            continue;
        }
        let stopped = |kind| kind == FaultKind::Stopped;
        if log.was(one.who.slot, one.began, *at, stopped) {
            verdict.counts.after_stop += 1;
        } else {
            verdict.wrong(
                Defect::TwoHolders,
                format!(
                    "{service}: {} admitted a probe under its lease {} ms after {} had taken it over",
                    one.who,
                    (at - taken) / 1_000_000,
                    next.who
                ),
            );
        }
    }
}

/// Whether the result of a process's round was written over the round of another one.
fn late(writes: &Writes<'_>, verdict: &mut Verdict) {
    let taken = writes.taken();
    for written in &writes.all {
        let (Some(_), Some(base)) = (written.taken(), written.write.expected) else { continue };
        let result = RESULTS.contains(&written.write.reason.as_str());
        if written.write.attempt.lane != Lane::State || !result {
            continue;
        }
        let before = taken.get(&written.place()).and_then(|lane| lane.get(&base));
        let Some(before) = before else { continue };
        let lease = before.write.lease.as_ref();
        let lease = lease.filter(|_| before.write.attempt.to == Some(State::HalfOpen));
        let mine = writes.runs.get(&written.who);
        if let Some(lease) = lease
            && mine.is_some_and(|mine| *mine != lease.owner)
        {
            verdict.wrong(
                Defect::LateResult,
                format!(
                    "{}: {} wrote {} over the round of {} at {base}",
                    written.write.attempt.service, written.who, written.write.reason, before.who
                ),
            );
        }
    }
}
