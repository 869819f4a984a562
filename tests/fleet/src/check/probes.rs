//! How many probes reached the upstream, and who had given leave to them.

use std::collections::{BTreeMap, HashMap};

use tower_breaker::{State, store::Lane};

use super::{
    verdict::{Defect, Verdict},
    writes::{Writes, Written},
};
use crate::{
    log::Log,
    said::{Line, Turn, Who},
    upstream::{Arrivals, Round},
};

/// How long a process may go on alone once its store has answered: the coordinator reads and writes
/// what waited before it asks for leave.
const FIRST_PASS: u64 = 1_000_000_000;

/// A half-open round of a process of which calls reached the upstream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probed<'a> {
    pub(super) round: &'a Round,
    pub(super) arrivals: &'a Arrivals,
    pub(super) sort: Sort,
}

/// Who gave leave to a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sort {
    /// The store did.
    Leased { token: u64, budget: u64 },
    /// The store could not be asked.
    Alone,
    /// Leases had found no call.
    LowTraffic,
    /// The process had opened the circuit for itself alone.
    Own,
    /// Nobody did.
    Nobody,
}

/// The rounds of a log.
#[derive(Debug, Default)]
pub(super) struct Rounds<'a> {
    pub(super) all: Vec<Probed<'a>>,
}

/// What one process said about its circuits and its store, in its order.
#[derive(Debug, Default)]
struct Story<'a> {
    turns: HashMap<(&'a str, u64), (&'a Turn, u64, u64)>,
    /// Whether the store answered from that line on, and when that was.
    store: BTreeMap<u64, (bool, u64)>,
}

impl<'a> Rounds<'a> {
    pub(super) fn of(log: &'a Log, writes: &Writes<'a>) -> Self {
        let mut stories: HashMap<Who, Story<'a>> = HashMap::new();
        for (who, said) in &log.said {
            let story = stories.entry(*who).or_default();
            match &said.line {
                Line::Turn(turn) => {
                    let key = (turn.service.as_str(), turn.generation);
                    story.turns.insert(key, (turn, said.sequence, said.at));
                }
                Line::Store { up, .. } => {
                    story.store.insert(said.sequence, (*up, said.at));
                }
                _ => {}
            }
        }
        let mut all = Vec::new();
        for (round, arrivals) in &log.arrivals {
            let Some(story) = stories.get(&round.who) else { continue };
            let key = (round.service.as_str(), round.generation);
            let Some((turn, sequence, at)) = story.turns.get(&key) else { continue };
            if turn.to == State::HalfOpen {
                let sort = sort(log, writes, story, round, turn, (*sequence, *at));
                all.push(Probed { round, arrivals, sort });
            }
        }
        all.sort_by_key(|probed| (probed.round.who, probed.round.generation));
        Self { all }
    }
}

fn sort(
    log: &Log,
    writes: &Writes<'_>,
    story: &Story<'_>,
    round: &Round,
    turn: &Turn,
    (sequence, at): (u64, u64),
) -> Sort {
    let state_lane = |written: &&Written<'_>| {
        written.write.attempt.lane == Lane::State && written.write.attempt.service == round.service
    };
    if turn.reason == "granted" {
        // A lease is taken, and then granted to the circuit.
        let lease = writes.all.iter().filter(state_lane).rfind(|written| {
            written.who == round.who
                && written.sequence < sequence
                && written.taken().is_some()
                && written.begins_lease()
        });
        let lease = lease.and_then(|written| written.write.lease.as_ref());
        return lease.map_or(Sort::Nobody, |lease| Sort::Leased {
            token: lease.token,
            budget: lease.budget.into(),
        });
    }
    if turn.reason != "recovery_time_elapsed" {
        return Sort::Nobody;
    }
    let store = story.store.range(..sequence).next_back();
    if !store.is_some_and(|(_, (up, since))| *up && at.saturating_sub(*since) > FIRST_PASS) {
        return Sort::Alone;
    }
    let before = writes.all.iter().filter(state_lane);
    let before = before.filter(|written| {
        written.taken().is_some() && written.ended.is_some_and(|ended| ended <= at)
    });
    let mut before: Vec<_> = before.collect();
    before.sort_by_key(|written| written.ended);
    let unused = before.iter().rev().find_map(|written| written.write.unused);
    if unused.is_some_and(|unused| unused >= 2) {
        return Sort::LowTraffic;
    }
    let state = before.last().and_then(|written| written.write.attempt.to);
    if log.setup.quorum > 1 && state.is_none_or(|state| state == State::Closed) {
        return Sort::Own;
    }
    Sort::Nobody
}

pub(super) fn check(log: &Log, writes: &Writes<'_>, verdict: &mut Verdict) {
    let rounds = Rounds::of(log, writes);
    let mut leased: BTreeMap<u64, (u64, u64, Vec<Who>)> = BTreeMap::new();
    for probed in &rounds.all {
        let (who, service, probes) =
            (probed.round.who, &probed.round.service, probed.arrivals.total);
        let seen = match probed.sort {
            Sort::Leased { token, budget } => {
                let lease = leased.entry(token).or_insert((0, budget, Vec::new()));
                lease.0 += probes;
                lease.2.push(who);
                &mut verdict.counts.leased
            }
            Sort::Alone => &mut verdict.counts.alone,
            Sort::LowTraffic => &mut verdict.counts.low_traffic,
            Sort::Own => &mut verdict.counts.own,
            Sort::Nobody => {
                verdict.wrong(
                    Defect::UnleasedProbe,
                    format!(
                        "{service}: {who} sent {probes} probes in generation {}",
                        probed.round.generation
                    ),
                );
                continue;
            }
        };
        seen.0 += 1;
        seen.1 += probes;
        if !matches!(probed.sort, Sort::Leased { .. }) && probes > log.setup.probes {
            verdict.wrong(
                Defect::TooManyProbes,
                format!("{service}: {who} sent {probes} probes on its own"),
            );
        }
    }
    for (token, (probes, budget, who)) in leased {
        if probes > budget {
            let who: Vec<_> = who.iter().map(ToString::to_string).collect();
            verdict.wrong(
                Defect::TooManyProbes,
                format!("{probes} probes under lease {token} for {budget}, of {}", who.join(", ")),
            );
        }
    }
}
