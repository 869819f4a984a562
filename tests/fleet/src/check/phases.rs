//! What had to be so for a while.

use std::collections::BTreeMap;

use tower_breaker::State;

use super::verdict::{Defect, Verdict};
use crate::{
    log::{Log, Phase, Rule},
    said::{Line, Turn, Who},
};

pub(super) fn check(log: &Log, verdict: &mut Verdict) {
    for phase in &log.phases {
        match phase.rule {
            Rule::NobodyOpensBut(slot) => spread(log, phase, slot, verdict),
            Rule::AllOpen => {
                for (who, service, state) in states(log, phase.ended) {
                    if state == State::Closed {
                        let what = format!("{service}: {who} had not opened");
                        verdict.wrong(Defect::StayedClosed, what);
                    }
                }
            }
            Rule::AllCloseBut(but) => {
                for (who, service, state) in states(log, phase.ended) {
                    if state != State::Closed && Some(who.slot) != but {
                        let after = (phase.ended - phase.began) / 1_000_000;
                        let what = format!("{service}: {who} is {state} after {after} ms");
                        verdict.wrong(Defect::StayedOpen, what);
                    }
                }
            }
        }
    }
}

fn spread(log: &Log, phase: &Phase, slot: usize, verdict: &mut Verdict) {
    for (who, said) in &log.said {
        let Line::Turn(Turn { service, to: State::Open, reason, .. }) = &said.line else {
            continue;
        };
        if who.slot != slot && (phase.began..=phase.ended).contains(&said.at) {
            verdict.wrong(Defect::OpenedForAll, format!("{service}: {who} opened: {reason}"));
        }
    }
}

/// Where each circuit of each process was then.
fn states(log: &Log, at: u64) -> Vec<(Who, &str, State)> {
    let mut services: Vec<&str> = Vec::new();
    let mut processes: Vec<Who> = Vec::new();
    let mut states: BTreeMap<(Who, &str), State> = BTreeMap::new();
    for (who, said) in log.said.iter().filter(|(_, said)| said.at <= at) {
        match &said.line {
            Line::Ready { .. } => {
                // Whoever had the place before is gone.
                processes.retain(|gone| gone.slot != who.slot);
                processes.push(*who);
            }
            Line::Turn(turn) => {
                services.push(&turn.service);
                states.insert((*who, &turn.service), turn.to);
            }
            _ => {}
        }
    }
    services.sort_unstable();
    services.dedup();
    let each = processes.iter().flat_map(|who| services.iter().map(|service| (*who, *service)));
    each.map(|(who, service)| {
        // A circuit begins closed.
        (who, service, states.get(&(who, service)).copied().unwrap_or(State::Closed))
    })
    .collect()
}
