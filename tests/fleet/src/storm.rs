//! A fleet to which everything happens that can.

use std::{path::PathBuf, time::Duration};

use crate::{
    Error,
    check::{Least, Verdict, check_and_keep},
    proxy::Way,
    rig::{Rig, RigOptions, Tier},
    said::Who,
    stores::Where,
    worker::WorkerOptions,
};

/// The circuits.
const CIRCUITS: [&str; 2] = ["left", "right"];
const TIERS: [Tier; 2] = [Tier::Cache, Tier::Durable];
/// The term of a lease.
const TERM: Duration = Duration::from_millis(1000);
/// How long a lease is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a holder is cut off once more until a result was fenced.
const MORE: u32 = 3;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    HolderStops,
    HolderDies,
    HolderIsCutOff,
    DatabaseFreezes,
    DatabaseRestarts,
    OneIsCutOff,
    OneDies,
    ClocksJump,
    CacheFreezes,
    CacheIsEmptied,
    OneLosesTheCache,
    AllIsAway,
}

impl Step {
    /// Those of one store, and then those of a cache.
    const ALL: [Self; 12] = [
        Self::HolderStops,
        Self::HolderDies,
        Self::HolderIsCutOff,
        Self::DatabaseFreezes,
        Self::DatabaseRestarts,
        Self::OneIsCutOff,
        Self::OneDies,
        Self::ClocksJump,
        Self::CacheFreezes,
        Self::CacheIsEmptied,
        Self::OneLosesTheCache,
        Self::AllIsAway,
    ];
    /// How many of them need no cache.
    const WITHOUT_CACHE: usize = 8;
}

/// What a storm is.
#[derive(Clone, Debug)]
pub struct StormOptions {
    /// The program that becomes a worker.
    pub program: PathBuf,
    /// Whether there is a cache in front of the database.
    pub tiered: bool,
}

/// Lets everything happen to five processes, and checks what they did.
///
/// # Errors
///
/// If the scenario itself fails. What it finds wrong is in the verdict.
pub async fn run(options: &StormOptions) -> Result<Verdict, Error> {
    let mut rig = Rig::start(RigOptions {
        program: options.program.clone(),
        processes: 5,
        tiered: options.tiered,
        worker: worker(),
    })
    .await?;
    let mut steps = Step::ALL.to_vec();
    if !options.tiered {
        steps.truncate(Step::WITHOUT_CACHE);
    }
    fastrand::shuffle(&mut steps);
    for step in steps {
        eprintln!("{}: {step:?}", if options.tiered { "tiered" } else { "storm" });
        happen(&mut rig, step).await.map_err(|error| format!("{step:?}: {error}"))?;
    }
    // Which of its results a holder has when it is back is chance.
    for _ in 0..MORE {
        if rig.fenced() > 0 {
            break;
        }
        happen(&mut rig, Step::HolderIsCutOff).await?;
    }
    last(&mut rig).await?;
    rig.settle().await?;
    let log = rig.end().await?;
    let tiers = u64::from(options.tiered);
    let least = Least {
        takeovers: 2,
        fenced: 1,
        leased: 5,
        fail_overs: 5 * tiers,
        reseeds: tiers,
        calls: 5000,
        ..Least::default()
    };
    check_and_keep(&log, &least)
}

/// What the processes of a storm do.
#[must_use]
pub fn worker() -> WorkerOptions {
    WorkerOptions {
        who: Who::default(),
        upstream: String::new(),
        stores: Where::default(),
        circuits: CIRCUITS.map(str::to_owned).to_vec(),
        quorum: 1,
        failures: 3,
        open: 300,
        probes: 3,
        term: 1000,
        poll: 5000,
        // Two operations of each tier.
        store_timeout: 3000,
        pace: (4, 16),
        clock: None,
    }
}

async fn happen(rig: &mut Rig, step: Step) -> Result<(), Error> {
    let one = fastrand::usize(..rig.size());
    match step {
        Step::HolderStops => {
            let holder = slow_round(rig).await?;
            rig.stand_still(holder, TERM * 2).await?;
        }
        Step::HolderDies => {
            let holder = slow_round(rig).await?;
            rig.kill(holder, TERM * 2).await?;
        }
        Step::HolderIsCutOff => {
            let holder = slow_round(rig).await?;
            let cut = TIERS.map(|tier| rig.cut(holder, tier, Way::Refused));
            rig.sleep(TERM * 3).await;
            for away in cut {
                rig.join(away);
            }
        }
        Step::DatabaseFreezes => {
            let away = rig.freeze(Tier::Durable)?;
            outage(rig).await;
            rig.thaw(away)?;
        }
        Step::DatabaseRestarts => {
            rig.upstream.set_broken(true);
            let away = rig.stop(Tier::Durable).await?;
            rig.sleep(Duration::from_millis(500)).await;
            rig.restart(away).await?;
            rig.sleep(Duration::from_millis(500)).await;
            rig.upstream.set_broken(false);
        }
        Step::OneIsCutOff => {
            let away = rig.cut(one, Tier::Durable, one_way());
            outage(rig).await;
            rig.join(away);
        }
        Step::OneDies => {
            rig.upstream.set_broken(true);
            rig.kill(one, Duration::from_millis(300)).await?;
            rig.upstream.set_broken(false);
        }
        Step::ClocksJump => {
            for slot in 0..rig.size() {
                rig.set_clock(slot, fastrand::i64(-86_400..=86_400))?;
            }
            outage(rig).await;
        }
        Step::CacheFreezes => {
            let away = rig.freeze(Tier::Cache)?;
            outage(rig).await;
            rig.thaw(away)?;
        }
        Step::CacheIsEmptied => {
            rig.upstream.set_broken(true);
            let away = rig.stop(Tier::Cache).await?;
            rig.sleep(Duration::from_millis(1000)).await;
            rig.restart(away).await?;
            rig.sleep(Duration::from_millis(500)).await;
            rig.upstream.set_broken(false);
        }
        Step::OneLosesTheCache => {
            let away = rig.cut(one, Tier::Cache, one_way());
            outage(rig).await;
            rig.join(away);
        }
        Step::AllIsAway => {
            let cache = rig.freeze(Tier::Cache)?;
            let durable = rig.freeze(Tier::Durable)?;
            outage(rig).await;
            rig.thaw(cache)?;
            rig.thaw(durable)?;
        }
    }
    rig.upstream.set_delay(Duration::ZERO);
    rig.upstream.set_broken(false);
    rig.sleep(Duration::from_millis(1500)).await;
    Ok(())
}

/// A way that lets one direction through.
fn one_way() -> Way {
    let held = fastrand::bool();
    if fastrand::bool() { Way::CutUp { held } } else { Way::CutDown { held } }
}

/// The upstream fails for a while, and is well again for a while.
async fn outage(rig: &mut Rig) {
    rig.upstream.set_broken(true);
    rig.sleep(Duration::from_millis(1500)).await;
    rig.upstream.set_broken(false);
    rig.sleep(Duration::from_millis(1000)).await;
}

/// Opens the circuits and makes answers slow, so that a round lasts. Returns who has one.
async fn slow_round(rig: &mut Rig) -> Result<usize, Error> {
    rig.upstream.set_broken(true);
    rig.sleep(Duration::from_millis(600)).await;
    rig.upstream.set_delay(Duration::from_millis(500));
    rig.upstream.set_broken(false);
    let holder = rig.holder(PATIENCE).await?;
    // Its probes are on their way.
    rig.sleep(Duration::from_millis(50)).await;
    Ok(holder)
}

/// The last fault: one process is cut off while people set and lift overrides.
async fn last(rig: &mut Rig) -> Result<(), Error> {
    let (one, other) = (0, 1);
    rig.tell(other, "force_open right")?;
    rig.sleep(Duration::from_millis(500)).await;
    let cut = TIERS.map(|tier| rig.cut(one, tier, Way::CutDown { held: false }));
    rig.sleep(Duration::from_millis(300)).await;
    rig.tell(one, "force_open left")?;
    rig.tell(other, "lift right")?;
    rig.sleep(Duration::from_millis(1500)).await;
    for away in cut {
        rig.join(away);
    }
    Ok(())
}
