//! A fleet that is called so seldom that no call comes while a lease lasts.

use std::{path::Path, time::Duration};

use crate::{
    Error,
    check::{Least, Verdict, check_and_keep},
    log::Rule,
    rig::{Rig, RigOptions},
    storm,
    worker::WorkerOptions,
};

/// Breaks the service, heals it, and waits until the fleet has found that out.
///
/// # Errors
///
/// If the scenario itself fails. What it finds wrong is in the verdict.
pub async fn run(program: &Path) -> Result<Verdict, Error> {
    let worker = WorkerOptions {
        circuits: vec!["seldom".to_owned()],
        failures: 1,
        open: 200,
        probes: 1,
        term: 200,
        // Six tasks in all: a call every 700 ms, and probes are admitted for 100 ms.
        pace: (3000, 5400),
        ..storm::worker()
    };
    let program = program.to_owned();
    let mut rig = Rig::start(RigOptions { program, processes: 3, tiered: false, worker }).await?;
    rig.upstream.set_broken(true);
    rig.phase(Rule::AllOpen, Duration::from_secs(20)).await?;
    rig.upstream.set_broken(false);
    rig.phase(Rule::AllCloseBut(None), Duration::from_secs(30)).await?;
    let log = rig.end().await?;
    check_and_keep(&log, &Least { unused: 2, low_traffic: 1, ..Least::default() })
}
