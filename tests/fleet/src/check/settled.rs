//! After the last fault every process agrees with the store, which has what it acknowledged.

use tower_breaker::store::Lane;

use super::{
    verdict::{Defect, Verdict},
    writes::Writes,
};
use crate::log::Log;

pub(super) fn check(log: &Log, writes: &Writes<'_>, verdict: &mut Verdict) {
    let Some(end) = &log.end else { return };
    let after = end.agreed.map(|agreed| agreed.saturating_sub(end.healed));
    verdict.counts.agreed_after = after.unwrap_or_default() / 1_000_000;
    if after.is_none_or(|after| after > log.setup.agree_within) {
        verdict.wrong(
            Defect::Disagreement,
            format!("after {after:?} ns: processes {:?}, store {:?}", end.processes, end.store),
        );
    }
    for (who, standings) in &end.processes {
        for here in standings {
            let stored = end.store.iter().find(|stored| stored.service == here.service);
            if end.agreed.is_some() && stored.is_some_and(|stored| stored != here) {
                verdict.wrong(
                    Defect::Disagreement,
                    format!("{who} has {here:?}, the store {stored:?}"),
                );
            }
        }
    }
    for ((service, lane), versions) in writes.taken() {
        let (Some((last, written)), Lane::State) = (versions.last_key_value(), lane) else {
            continue;
        };
        let stored = end.store.iter().find(|stored| stored.service == service);
        if stored.and_then(|stored| stored.version).is_none_or(|version| version < *last) {
            verdict.wrong(
                Defect::Lost,
                format!("{service}: {} wrote {last}, and the store has {stored:?}", written.who),
            );
        }
    }
}
