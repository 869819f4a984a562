//! Processes that probe under leases: every order of reads, writes, lost answers, deaths and time.

use std::time::Duration;

use super::world::*;
use crate::{
    circuit::{State, Version},
    explore::{Explored, Model, Outcome, explore},
    fleet::{
        lease::{Claim, Sighting, Upkeep, claim},
        merge::{Basis, StateChange, Step as Merged, state_step},
    },
    store::{Extra, StateLane},
};

/// Whoever admits a probe has the lease in the store.
const ONE_HOLDER: &str = "probes_are_admitted_under_the_lease_in_the_store";
/// No lease admits more probes than it permits.
const IN_BUDGET: &str = "no_more_probes_than_the_lease_permits";
/// What a round decided is written over its own lease.
const FENCED: &str = "late_results_change_nothing";
/// A lease whose holder is gone is taken over.
const TAKEN_OVER: &str = "a_lease_without_a_holder_is_taken_over";

#[derive(Clone, Copy, Debug)]
struct Fleet {
    rule: Rule,
    /// How many answers are lost, and how many processes die.
    lost: u8,
    deaths: u8,
    /// How often somebody writes another lane, which moves no state.
    touches: u8,
    /// How many probes a lease permits.
    budget: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Tick,
    Read(usize),
    /// Begins to propose a lease, or to renew it.
    Propose(usize),
    /// The store decides about a proposal.
    Decide(usize),
    /// The proposer hears of it, or does not.
    Answer(usize, bool),
    Admit(usize),
    /// A probe ends well, and the round is over.
    Finish(usize),
    Touch,
    Die(usize),
}

impl Fleet {
    fn with(rule: Rule) -> Self {
        Self { rule, lost: 0, deaths: 0, touches: 0, budget: 1 }
    }

    fn admits(&self, held: (u8, u8, u8)) -> bool {
        match self.rule {
            Rule::AdmitsTooLong => held.2 <= TERM,
            _ => !Process::held(held).admits_for(now()).is_zero(),
        }
    }

    /// What a process would propose now: token and renewals.
    fn proposes(&self, world: &World, process: &Process) -> Option<(u8, u8)> {
        let known = process.known?;
        if let Some(held) = process.held {
            let upkeep = Process::held(held).upkeep(process.admitted.into(), now());
            let mine = known.state == HALF_OPEN && known.token == held.0;
            return (upkeep == Upkeep::Renew && mine && held.1 < RENEWALS)
                .then_some((held.0, held.1 + 1));
        }
        let seen = Sighting::of(record(known), None, before(process.seen));
        // The store's own clock ends a lease after three terms: later than this goes.
        let age = Duration::ZERO;
        let now = match self.rule {
            Rule::ObserversWaitTooShort => now() + ticks(3 * TERM / 4),
            _ => now(),
        };
        let take = claim(record(known), seen, age, now) == Claim::Take;
        (take && world.tokens < TOKENS).then_some((world.tokens + 1, 0))
    }

    /// Whether somebody waits longer than the term for a lease that he sees.
    fn is_stuck(&self, world: &World) -> bool {
        world.processes.iter().any(|process| {
            let waits = process.known == Some(world.row) && world.row.state == HALF_OPEN;
            let seen = match self.rule {
                Rule::ObserversGoByVersions => process.seen_soundly,
                _ => process.seen,
            };
            let idle = !process.is_dead && process.held.is_none() && process.proposal.is_none();
            let may = idle && world.tokens < TOKENS;
            waits && may && seen >= TERM && self.proposes(world, process).is_none()
        })
    }

    /// Whether what a round decided is written over a row.
    fn ends_round(&self, row: Row, token: u8) -> bool {
        let basis = Basis {
            stored: Some(stored(row)),
            blank: record(row),
            since_read: Duration::ZERO,
            highest: [Version::default(); 3],
        };
        let change = StateChange {
            from: State::HalfOpen,
            lane: StateLane::default(),
            age: Duration::ZERO,
            forced: false,
            lease: (self.rule != Rule::NoFence).then_some(token.into()),
            about: None,
            extra: Extra::new(),
        };
        matches!(state_step(&basis, &change), Merged::Propose { .. })
    }
}

impl Model for Fleet {
    type State = World;
    type Step = Step;

    fn start(&self) -> World {
        let row = Row { state: OPEN, token: 0, renewals: 0, version: 1 };
        World {
            row,
            tokens: 0,
            processes: [Process { known: Some(row), ..Process::default() }; PROCESSES],
            lost: self.lost,
            deaths: self.deaths,
            touches: self.touches,
        }
    }

    fn steps(&self, world: &World) -> Vec<(Step, Outcome<World>)> {
        let mut steps = Vec::new();
        if world.row.state == CLOSED {
            return steps;
        }
        let mut later = *world;
        later.processes.iter_mut().for_each(Process::grow_older);
        let stuck = if self.is_stuck(world) { Err(TAKEN_OVER) } else { Ok(later) };
        steps.push((Step::Tick, stuck));
        if world.touches > 0 {
            let mut after = *world;
            after.touches -= 1;
            after.row.version += 1;
            steps.push((Step::Touch, Ok(after)));
        }
        for (index, process) in world.processes.iter().enumerate() {
            if process.is_dead {
                continue;
            }
            let with = |change: &dyn Fn(&mut World, usize)| {
                let mut after = *world;
                change(&mut after, index);
                after
            };
            if process.known != Some(world.row) {
                let after = with(&|world, index| {
                    let row = world.row;
                    world.processes[index].learn(self.rule, row);
                });
                steps.push((Step::Read(index), Ok(after)));
            }
            if process.proposal.is_none()
                && let Some((token, renewals)) = self.proposes(world, process)
            {
                let after = with(&|world, index| {
                    world.tokens = world.tokens.max(token);
                    let process = &mut world.processes[index];
                    let expected = process.known.map_or(0, |known| known.version);
                    process.proposal =
                        Some(Proposal { expected, token, renewals, age: 0, answer: None });
                });
                steps.push((Step::Propose(index), Ok(after)));
            }
            match process.proposal {
                Some(proposal) if proposal.answer.is_none() => {
                    let after = with(&|world, index| {
                        let taken = proposal.expected == world.row.version;
                        if taken {
                            world.row = Row {
                                state: HALF_OPEN,
                                token: proposal.token,
                                renewals: proposal.renewals,
                                version: world.row.version + 1,
                            };
                        }
                        let answer = Some(taken.then_some(world.row));
                        world.processes[index].proposal = Some(Proposal { answer, ..proposal });
                    });
                    steps.push((Step::Decide(index), Ok(after)));
                }
                Some(Proposal { answer: Some(answer), token, renewals, age, .. }) => {
                    for lost in [false, true] {
                        if lost && (world.lost == 0 || answer.is_none()) {
                            continue;
                        }
                        let after = with(&|world, index| {
                            world.lost -= u8::from(lost);
                            let process = &mut world.processes[index];
                            process.proposal = None;
                            if let Some(row) = answer.filter(|_| !lost) {
                                let age = match self.rule {
                                    Rule::CountsFromTheAnswer => 0,
                                    _ => age,
                                };
                                if renewals == 0 {
                                    process.admitted = 0;
                                }
                                process.learn(self.rule, row);
                                process.held = Some((token, renewals, age));
                            }
                        });
                        steps.push((Step::Answer(index, lost), Ok(after)));
                    }
                }
                _ => {}
            }
            if let Some(held) = process.held {
                if process.admitted < self.budget && self.admits(held) {
                    let after = with(&|world, index| world.processes[index].admitted += 1);
                    let current = world.row.state == HALF_OPEN && world.row.token == held.0;
                    let outcome = if !current {
                        Err(ONE_HOLDER)
                    } else if after.processes[index].admitted > self.budget {
                        Err(IN_BUDGET)
                    } else {
                        Ok(after)
                    };
                    steps.push((Step::Admit(index), outcome));
                }
                if process.admitted > 0 {
                    let ends = self.ends_round(world.row, held.0);
                    let after = with(&|world, index| {
                        world.processes[index].held = None;
                        if ends {
                            world.row.state = CLOSED;
                            world.row.version += 1;
                        }
                    });
                    let own = world.row.state == HALF_OPEN && world.row.token == held.0;
                    let outcome = if ends && !own { Err(FENCED) } else { Ok(after) };
                    steps.push((Step::Finish(index), outcome));
                }
                if Process::held(held).upkeep(process.admitted.into(), now()) == Upkeep::Lapsed {
                    let after = with(&|world, index| world.processes[index].held = None);
                    steps.push((Step::Finish(index), Ok(after)));
                }
            }
            if world.deaths > 0 {
                let after = with(&|world, index| {
                    world.deaths -= 1;
                    world.processes[index].is_dead = true;
                });
                steps.push((Step::Die(index), Ok(after)));
            }
        }
        steps
    }

    fn end(&self, _: &World) -> Outcome<()> {
        Ok(())
    }
}

fn shown(fleet: Fleet) -> Explored {
    let found = explore(&fleet);
    println!("{:?}: {} states, {} steps, {} ends", fleet, found.states, found.steps, found.ends);
    found
}

/// One thing that goes wrong is enough for one run: together they only take longer.
fn holds(fleet: Fleet) {
    let found = shown(fleet);
    if let Some((broken, way)) = found.broken {
        panic!("{broken} after\n{way}");
    }
    assert!(found.states > 50_000, "{} states prove little", found.states);
}

#[test]
fn no_order_of_things_gives_two_holders_when_answers_are_lost() {
    holds(Fleet { lost: 1, ..Fleet::with(Rule::Sound) });
}

#[test]
fn no_order_of_things_gives_two_holders_when_holders_die() {
    holds(Fleet { deaths: 1, ..Fleet::with(Rule::Sound) });
}

#[test]
fn no_order_of_things_makes_an_observer_wait_for_longer_than_the_term() {
    holds(Fleet { touches: 1, ..Fleet::with(Rule::Sound) });
}

#[test]
fn each_rule_that_is_broken_is_found_by_its_invariant() {
    for (rule, invariant) in [
        (Rule::CountsFromTheAnswer, ONE_HOLDER),
        (Rule::AdmitsTooLong, ONE_HOLDER),
        (Rule::ObserversWaitTooShort, ONE_HOLDER),
        (Rule::ObserversIgnoreRenewals, ONE_HOLDER),
        (Rule::ObserversGoByVersions, TAKEN_OVER),
        (Rule::NoFence, FENCED),
    ] {
        let found = shown(Fleet { lost: 1, touches: 1, budget: 2, ..Fleet::with(rule) });
        let (broken, _) = found.broken.unwrap_or_else(|| panic!("{rule:?} was not found"));
        assert_eq!(broken, invariant, "{rule:?}");
    }
}
