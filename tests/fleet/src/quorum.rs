//! Five processes of which three have to agree, and one that sees the service fail whatever it is.

use std::{path::Path, time::Duration};

use crate::{
    Error,
    check::{Least, Verdict, check_and_keep},
    log::Rule,
    rig::{Rig, RigOptions},
    storm,
    worker::WorkerOptions,
};

/// The place of the process that is poisoned.
const POISONED: usize = 0;

/// Poisons one process, breaks the service for all, and heals it for all but that one.
///
/// # Errors
///
/// If the scenario itself fails. What it finds wrong is in the verdict.
pub async fn run(program: &Path) -> Result<Verdict, Error> {
    let worker = WorkerOptions { quorum: 3, ..storm::worker() };
    let program = program.to_owned();
    let mut rig = Rig::start(RigOptions { program, processes: 5, tiered: false, worker }).await?;
    rig.upstream.set_broken_for(POISONED, true);
    rig.phase(Rule::NobodyOpensBut(POISONED), Duration::from_secs(5)).await?;
    rig.upstream.set_broken(true);
    rig.phase(Rule::AllOpen, Duration::from_secs(10)).await?;
    rig.sleep(Duration::from_secs(2)).await;
    rig.upstream.set_broken(false);
    rig.phase(Rule::AllCloseBut(Some(POISONED)), Duration::from_secs(15)).await?;
    // It goes on failing, and opens nobody.
    rig.phase(Rule::NobodyOpensBut(POISONED), Duration::from_secs(4)).await?;
    rig.upstream.set_broken_for(POISONED, false);
    rig.phase(Rule::AllCloseBut(None), Duration::from_secs(15)).await?;
    let log = rig.end().await?;
    check_and_keep(&log, &Least { leased: 2, ..Least::default() })
}
