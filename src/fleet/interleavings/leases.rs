//! Processes that probe under leases: every order of reads, writes, lost answers, deaths and time.

use std::{sync::LazyLock, time::Duration};

use crate::{
    breaker::ServiceName,
    circuit::{Moment, State, Version},
    explore::{Explored, Model, Outcome, explore},
    fleet::{
        lease::{Claim, Held, Sighting, Upkeep, claim},
        merge::{Basis, StateChange, Step as Merged, state_step},
    },
    store::{CircuitRecord, Extra, Lease, RunId, StateLane, Stored},
};

/// The term of a lease, in ticks of a second.
const TERM: u8 = 4;
/// Ages from here on are the same: longer than any rule here looks at.
const OLD: u8 = 5;
/// How many leases there are, and how often each is renewed.
const TOKENS: u8 = 2;
const RENEWALS: u8 = 1;
const PROCESSES: usize = 2;

/// Whoever admits a probe has the lease in the store.
const ONE_HOLDER: &str = "probes_are_admitted_under_the_lease_in_the_store";
/// No lease admits more probes than it permits.
const IN_BUDGET: &str = "no_more_probes_than_the_lease_permits";
/// What a round decided is written over its own lease.
const FENCED: &str = "late_results_change_nothing";
/// A lease whose holder is gone is taken over.
const TAKEN_OVER: &str = "a_lease_without_a_holder_is_taken_over";

/// The rules, and known broken ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Sound,
    /// The holder counts from when it was told that it has the lease.
    CountsFromTheAnswer,
    /// The holder admits for longer than the term.
    AdmitsTooLong,
    /// Observers wait for a quarter of the term.
    ObserversWaitTooShort,
    /// Observers begin anew with each version that they see.
    ObserversGoByVersions,
    /// Observers go on from the first time that they saw the token, whatever was renewed since.
    ObserversIgnoreRenewals,
    /// Results are written over whatever is half-open.
    NoFence,
}

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

/// What the store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Row {
    state: u8,
    token: u8,
    renewals: u8,
    version: u8,
}

const OPEN: u8 = 0;
const HALF_OPEN: u8 = 1;
const CLOSED: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Proposal {
    expected: u8,
    token: u8,
    renewals: u8,
    /// How long ago it was begun.
    age: u8,
    /// The answer that waits to be heard: what the store took.
    answer: Option<Option<Row>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Process {
    is_dead: bool,
    known: Option<Row>,
    /// How long ago it first saw the lease that it knows.
    seen: u8,
    /// What that would be by the sound rule, where another one says otherwise.
    seen_soundly: u8,
    proposal: Option<Proposal>,
    /// Token, renewals and how long ago it began.
    held: Option<(u8, u8, u8)>,
    admitted: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct World {
    row: Row,
    tokens: u8,
    processes: [Process; PROCESSES],
    lost: u8,
    deaths: u8,
    touches: u8,
}

fn now() -> Moment {
    Moment::ZERO + ticks(2 * OLD)
}

fn before(age: u8) -> Moment {
    now().before(ticks(age))
}

fn ticks(ticks: u8) -> Duration {
    Duration::from_secs(ticks.into())
}

fn lease(token: u8, renewals: u8) -> Lease {
    Lease {
        token: token.into(),
        owner: RunId::new(1).unwrap(),
        term: ticks(TERM),
        renewals: renewals.into(),
        budget: 1,
    }
}

/// All that a row can be, but for its version, which no rule here looks at: made once.
static RECORDS: LazyLock<Vec<Stored>> = LazyLock::new(|| {
    let mut records = Vec::new();
    for state in [State::Open, State::HalfOpen, State::Closed] {
        for token in 0..=TOKENS {
            for renewals in 0..=RENEWALS {
                let mut record = CircuitRecord::new(ServiceName::new("a").unwrap());
                record.state.state = state;
                record.state.lease = (state == State::HalfOpen).then(|| lease(token, renewals));
                records.push(Stored::Record(record));
            }
        }
    }
    records
});

fn stored(row: Row) -> &'static Stored {
    let state = row.state * (TOKENS + 1) + row.token;
    &RECORDS[usize::from(state * (RENEWALS + 1) + row.renewals)]
}

fn record(row: Row) -> &'static CircuitRecord {
    match stored(row) {
        Stored::Record(record) => record,
        Stored::Tombstone(_) => unreachable!("all of them are records"),
    }
}

impl Process {
    fn held((token, renewals, age): (u8, u8, u8)) -> Held {
        Held { lease: lease(token, renewals), began: before(age), admitted_before: 0, taken_in: 0 }
    }

    fn learn(&mut self, rule: Rule, row: Row) {
        if self.known.is_some_and(|known| known.version > row.version) {
            return;
        }
        let seen = before(self.seen);
        let before = self.known.and_then(|known| Sighting::of(record(known), None, seen));
        let after = Sighting::of(record(row), before, now());
        let sound = if after.is_some() && after == before { self.seen } else { 0 };
        let same = |known: Row| known.token == row.token && known.state == row.state;
        if rule == Rule::ObserversGoByVersions {
            let seen_before =
                self.known.is_some_and(|known| same(known) && known.renewals == row.renewals);
            self.seen_soundly = if seen_before { self.seen_soundly } else { 0 };
        }
        self.seen = match rule {
            Rule::ObserversGoByVersions if self.known == Some(row) => self.seen,
            Rule::ObserversGoByVersions => 0,
            Rule::ObserversIgnoreRenewals if self.known.is_some_and(same) => self.seen,
            Rule::ObserversIgnoreRenewals => 0,
            _ => sound,
        };
        self.known = Some(row);
    }

    fn grow_older(&mut self) {
        let older = |age: &mut u8| *age = (*age + 1).min(OLD);
        if self.known.is_some_and(|known| known.state == HALF_OPEN) {
            older(&mut self.seen);
            if self.seen_soundly < OLD {
                self.seen_soundly += u8::from(self.seen_soundly > 0 || self.seen > 0);
            }
        }
        if let Some(proposal) = &mut self.proposal {
            older(&mut proposal.age);
        }
        if let Some((_, _, age)) = &mut self.held {
            older(age);
        }
    }
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
