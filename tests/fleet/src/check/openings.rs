//! A store opens no circuit, and is away only if something was done to it.

use std::collections::HashMap;

use tower_breaker::State;

use super::verdict::{Defect, Verdict};
use crate::{
    log::{FaultKind, Log},
    said::{Line, Who},
    upstream::Round,
};

/// How long after a fault its last errors may come, in nanoseconds.
const LINGERS: u64 = 15_000_000_000;

pub(super) fn check(log: &Log, verdict: &mut Verdict) {
    let mut generations: HashMap<(Who, &str), u64> = HashMap::new();
    for (who, said) in &log.said {
        match &said.line {
            Line::Store { up: false, error } => {
                verdict.counts.outages += 1;
                let from = said.at.saturating_sub(LINGERS);
                if !log.was(who.slot, from, said.at, FaultKind::is_of_store) {
                    verdict.wrong(Defect::UnexplainedOutage, format!("{who}: {error:?}"));
                }
            }
            Line::Turn(turn) => {
                let service = turn.service.as_str();
                let before = generations.insert((*who, service), turn.generation);
                if turn.to != State::Open || turn.reason != "consecutive_failures" {
                    continue;
                }
                let generation = before.unwrap_or(turn.generation.saturating_sub(1));
                let round = Round { who: *who, service: service.to_owned(), generation };
                let failed = log.arrivals.get(&round).map_or(0, |arrivals| arrivals.failed);
                if failed < log.setup.failures {
                    verdict.wrong(
                        Defect::OpenedWithoutFailures,
                        format!("{service}: {who} opened after {failed} failures"),
                    );
                }
            }
            _ => {}
        }
    }
}
