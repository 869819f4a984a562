//! Processes that vote, one of them poisoned: every order of trips, votes, counts and probes.

use std::time::Duration;

use crate::{
    breaker::ServiceName,
    circuit::Version,
    explore::{Explored, Model, Outcome, explore},
    fleet::quorum::{FAILED_HOLDERS, Failed, failed, tally},
    store::{Extra, InstanceRow, RunId, Timestamp, Vote},
};

const PROCESSES: usize = 3;
const QUORUM: u32 = 2;

/// A process whose own calls alone fail opens nothing for the others.
const POISON_IS_ALONE: &str = "one_process_does_not_open_for_all";
/// Votes that led to an opening lead to no other.
const CONSUMED: &str = "votes_are_consumed";
/// Only different holders that failed open the circuit anew.
const DIFFERENT_HOLDERS: &str = "one_process_does_not_keep_all_open";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Sound,
    /// Votes are counted whatever they are about.
    VotesStay,
    /// A failed probe opens for all, whosever it is.
    OneHolderReopens,
}

#[derive(Clone, Copy, Debug)]
struct Fleet {
    rule: Rule,
    /// How often the upstream breaks for all.
    outages: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Break,
    Heal,
    /// A process opens the circuit for itself, or closes it again.
    Trip(usize),
    Recover(usize),
    /// It tells the others.
    Publish(usize),
    /// It counts what they told.
    Count(usize),
    /// It probes for all.
    Probe(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct World {
    is_broken: bool,
    outages: u8,
    version: u8,
    is_open: bool,
    /// The processes whose probes failed, as the record has them.
    failed: [bool; PROCESSES],
    /// The version that each process has voted about, here and in its row.
    votes: [Option<u8>; PROCESSES],
    rows: [Option<u8>; PROCESSES],
    /// Reopenings, bounded.
    reopens: u8,
}

fn run(process: usize) -> RunId {
    RunId::new(process as u64 + 1).unwrap()
}

fn service() -> ServiceName {
    ServiceName::new("a").unwrap()
}

impl World {
    fn fails(&self, process: usize) -> bool {
        // The first one is poisoned.
        self.is_broken || process == 0
    }

    fn tally(&self, rule: Rule) -> u32 {
        let rows = self.rows.iter().enumerate().map(|(process, vote)| {
            let mut row = InstanceRow::new(run(process), String::new(), Timestamp::EPOCH);
            row.votes.extend(vote.map(|about| Vote {
                service: service(),
                version: match rule {
                    Rule::VotesStay => Version::new(0, self.version.into()),
                    _ => Version::new(0, about.into()),
                },
                open_for: Duration::ZERO,
            }));
            row
        });
        let rows: Vec<_> = rows.collect();
        tally(&rows, &service(), Version::new(0, self.version.into())).votes
    }

    fn extra(&self) -> Extra {
        let holders = self.failed.iter().enumerate().filter(|(_, failed)| **failed);
        let holders: Vec<_> = holders.map(|(process, _)| run(process).to_string()).collect();
        Extra::from_iter([(FAILED_HOLDERS.to_owned(), holders.into())])
    }
}

impl Model for Fleet {
    type State = World;
    type Step = Step;

    fn start(&self) -> World {
        World {
            is_broken: false,
            outages: self.outages,
            version: 0,
            is_open: false,
            failed: [false; PROCESSES],
            votes: [None; PROCESSES],
            rows: [None; PROCESSES],
            reopens: 0,
        }
    }

    fn steps(&self, world: &World) -> Vec<(Step, Outcome<World>)> {
        let mut steps = Vec::new();
        let mut step = |step, outcome| steps.push((step, outcome));
        if world.is_broken {
            step(Step::Heal, Ok(World { is_broken: false, ..*world }));
        } else if world.outages > 0 {
            let outages = world.outages - 1;
            step(Step::Break, Ok(World { is_broken: true, outages, ..*world }));
        }
        for process in 0..PROCESSES {
            let mut after = *world;
            if !world.is_open && world.fails(process) && world.votes[process].is_none() {
                after.votes[process] = Some(world.version);
                step(Step::Trip(process), Ok(after));
            } else if world.votes[process].is_some() && (world.is_open || !world.fails(process)) {
                after.votes[process] = None;
                step(Step::Recover(process), Ok(after));
            }
            if world.rows[process] != world.votes[process] {
                let mut after = *world;
                after.rows[process] = world.votes[process];
                step(Step::Publish(process), Ok(after));
            }
            let enough = world.tally(self.rule) >= QUORUM;
            if !world.is_open && world.votes[process].is_some() && enough {
                let mut after = *world;
                after.is_open = true;
                after.version += 1;
                after.failed = [false; PROCESSES];
                let told = world.rows.iter().enumerate();
                let fresh = told.filter(|(_, about)| **about == Some(world.version));
                let fresh: Vec<_> = fresh.map(|(process, _)| process).collect();
                let outcome = if fresh.len() < QUORUM as usize {
                    Err(CONSUMED)
                } else if self.outages == 0 {
                    Err(POISON_IS_ALONE)
                } else {
                    Ok(after)
                };
                step(Step::Count(process), outcome);
            }
            if world.is_open && world.reopens < 3 {
                let mut after = *world;
                after.version += 1;
                if !world.fails(process) {
                    after.is_open = false;
                    after.failed = [false; PROCESSES];
                    step(Step::Probe(process), Ok(after));
                    continue;
                }
                let verdict = match self.rule {
                    Rule::OneHolderReopens => Failed::Reopen,
                    _ => failed(&world.extra(), run(process), QUORUM),
                };
                let outcome = match verdict {
                    Failed::PassOn(_) => {
                        after.failed[process] = true;
                        Ok(after)
                    }
                    Failed::Reopen => {
                        let mut holders = world.failed;
                        holders[process] = true;
                        let different = holders.iter().filter(|failed| **failed).count();
                        after.failed = [false; PROCESSES];
                        after.reopens += 1;
                        if different < QUORUM as usize { Err(DIFFERENT_HOLDERS) } else { Ok(after) }
                    }
                };
                step(Step::Probe(process), outcome);
            }
        }
        steps.retain(|(_, after)| {
            after.as_ref().is_ok_and(|after| after.version < 8) || after.is_err()
        });
        steps
    }

    fn end(&self, _: &World) -> Outcome<()> {
        Ok(())
    }
}

fn shown(fleet: Fleet) -> Explored {
    let found = explore(&fleet);
    println!("{fleet:?}: {} states, {} steps", found.states, found.steps);
    found
}

#[test]
fn one_process_alone_neither_opens_nor_keeps_open() {
    for outages in [0, 2] {
        let found = shown(Fleet { rule: Rule::Sound, outages });
        if let Some((broken, way)) = found.broken {
            panic!("{broken} after\n{way}");
        }
        assert!(outages == 0 || found.states > 1_000, "{} states prove little", found.states);
    }
}

#[test]
fn each_rule_that_is_broken_is_found_by_its_invariant() {
    for (rule, invariant) in
        [(Rule::VotesStay, CONSUMED), (Rule::OneHolderReopens, DIFFERENT_HOLDERS)]
    {
        let found = shown(Fleet { rule, outages: 2 });
        let (broken, _) = found.broken.unwrap_or_else(|| panic!("{rule:?} was not found"));
        assert_eq!(broken, invariant, "{rule:?}");
    }
}
