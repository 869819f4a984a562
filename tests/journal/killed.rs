//! A process that is killed while it spills.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use tower_breaker::{
    journal::SpillOptions,
    store::{MemoryStore, RunId, faulty::Fault},
};

use crate::support::{World, events, fail, ms, options, secs};

const FOLDER: &str = "TOWER_BREAKER_TEST_SPILL_FOLDER";

/// What the process that is killed does: spills for ever, and says how far it has come.
async fn spill_for_ever(folder: &str) -> ! {
    let spill = SpillOptions::new(folder).segment_bytes(16 << 10);
    let options = options().spill(spill).flush_interval(ms(1)).retry_delay(ms(1), ms(1));
    let world = World::with(options);
    world.faults.set_all(Fault::error());
    let breaker = world.breaker("payments");
    loop {
        fail(&breaker, 20);
        tokio::time::sleep(ms(1)).await;
        let stats = world.journal.stats();
        println!("spilled {} {}", world.journal.run(), stats.spilled);
    }
}

#[tokio::test]
async fn what_was_spilled_survives_kill_9() {
    // Started by this very test, below.
    if let Ok(folder) = env::var(FOLDER) {
        spill_for_ever(&folder).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::new();
    let mut runs: Vec<(RunId, u64)> = Vec::new();
    for kills in 1..=5_u64 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "killed::what_was_spilled_survives_kill_9", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut said = None;
        for line in output.lines() {
            let line = line.unwrap();
            let Some((_, rest)) = line.split_once("spilled ") else { continue };
            let (run, spilled) = rest.split_once(' ').unwrap();
            let run = RunId::new(u64::from_str_radix(run, 16).unwrap()).unwrap();
            said = Some((run, spilled.parse::<u64>().unwrap()));
            if said.is_some_and(|(_, spilled)| spilled >= 200 * kills) {
                break;
            }
        }
        // SIGKILL: it has no time for anything.
        child.kill().unwrap();
        child.wait().unwrap();
        runs.push(said.expect("the child said how far it came"));
    }
    assert!(fs::read_dir(folder.path()).unwrap().count() > 5);

    let world = World::over(store.clone(), options().spill(SpillOptions::new(folder.path())));
    let unwritten = world.journal.flush(secs(60)).await;
    assert!(unwritten.is_nothing(), "{unwritten:?}");
    let events = events(&store).await;
    for (run, spilled) in runs {
        let of_run: Vec<_> = events.iter().filter(|event| event.id.run == run).collect();
        assert!(of_run.len() as u64 >= spilled, "{}: {} of {spilled}", run, of_run.len());
        let sequences = of_run.iter().map(|event| event.id.sequence);
        assert!(sequences.eq(0..of_run.len() as u64), "in order, none left out, none made up");
    }
}
