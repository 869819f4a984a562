//! The suites.

use std::sync::Arc;

use super::{
    bench::{BothBench, FleetBench, HistoryBench, StateBench},
    fleet, history,
    report::Report,
    runner::run,
    state,
    subject::Subject,
};
use crate::store::{FleetStore, HistoryStore, StateStore};

/// Checks a [`StateStore`].
pub async fn state_store<P: Subject<Store: StateStore>>(subject: P) -> Report {
    run(&Arc::new(subject), StateBench::of, state::checks()).await
}

/// Checks a [`HistoryStore`].
pub async fn history_store<P: Subject<Store: HistoryStore>>(subject: P) -> Report {
    run(&Arc::new(subject), HistoryBench::of, history::checks()).await
}

/// Checks a [`FleetStore`].
pub async fn fleet_store<P: Subject<Store: FleetStore>>(subject: P) -> Report {
    run(&Arc::new(subject), FleetBench::of, fleet::checks()).await
}

/// Checks a store that keeps circuits and a history: both traits, and that events are written with
/// their changes or not at all.
pub async fn state_and_history<P: Subject<Store: StateStore + HistoryStore>>(subject: P) -> Report {
    state_and_history_of(&Arc::new(subject)).await
}

/// Checks a store that is all three.
pub async fn all<P: Subject<Store: StateStore + HistoryStore + FleetStore>>(subject: P) -> Report {
    let subject = Arc::new(subject);
    let mut report = state_and_history_of(&subject).await;
    report.checks.extend(run(&subject, FleetBench::of, fleet::checks()).await.checks);
    report
}

async fn state_and_history_of<P: Subject<Store: StateStore + HistoryStore>>(
    subject: &Arc<P>,
) -> Report {
    let mut report = run(subject, StateBench::of, state::checks()).await;
    report.checks.extend(run(subject, BothBench::of, state::checks_with_events()).await.checks);
    report.checks.extend(run(subject, HistoryBench::of, history::checks()).await.checks);
    report
}
