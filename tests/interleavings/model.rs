//! What can happen to processes that share a cache and a durable store.

use tower_breaker::{
    circuit::Version,
    explore::{Model, Outcome},
    store::{
        ChangeId, Lane,
        tiered::rule::{Answer, Ask, Held, Kept, Seen, Tier, Variant, Verdict, Work, Write},
    },
};

use crate::world::*;

impl Tiers {
    pub(crate) fn sound(lane: Lane) -> Self {
        Self {
            variant: Variant::Sound,
            lane,
            writes: [1; PROCESSES],
            cuts: 0,
            lost: 0,
            empties: 0,
            deaths: 0,
            settles: 0,
            reach: [BOTH; PROCESSES],
        }
    }

    pub(crate) fn faults(self) -> bool {
        self.cuts + self.lost + self.empties + self.deaths > 0 || self.reach != [BOTH; PROCESSES]
    }

    pub(crate) fn is_lease(&self) -> bool {
        self.lane == Lane::State
    }

    /// What a process reads before it writes: none if it has nobody to ask.
    pub(crate) fn read(world: &World, reach: [bool; 2]) -> Option<Held> {
        match (reach, world.tiers) {
            ([true, durable], [Held::Missing, of_durable]) => {
                Some(if durable { of_durable } else { Held::Missing })
            }
            ([true, _], [of_cache, _]) => Some(of_cache),
            ([false, true], [_, of_durable]) => Some(of_durable),
            ([false, false], _) => None,
        }
    }

    pub(crate) fn begin(&self, world: &World, at: usize) -> Option<World> {
        let process = world.processes[at];
        let held = Self::read(world, process.reach)?;
        let seen = held.seen(self.lane);
        let on = held.is_record().then(|| index(seen.change)).flatten();
        if self.is_lease() && on.is_some_and(|on| on > 0 && !world.changes[on].is_expired) {
            return None;
        }
        let mut world = world.clone();
        let change = 1 + at * 2 + usize::from(process.made);
        let past = on.map_or(0, |on| world.changes[on].past | 1 << on);
        world.changes[change] = Change { past, reach: process.reach, ..Change::default() };
        let next = Version::new(seen.version.epoch, seen.version.counter + 1);
        let work = Work::Swap {
            lane: self.lane,
            expected: held.version(self.lane),
            read: on.map(id),
            next,
            change: id(change),
        };
        let process = &mut world.processes[at];
        process.left -= 1;
        process.made += 1;
        process.change = Some(change);
        process.write = Some(Write::new(work, self.variant));
        Some(world)
    }

    /// The next thing that a process does.
    pub(crate) fn work(&self, world: &World, at: usize, loses: bool) -> Outcome<Option<World>> {
        let mut world = world.clone();
        let process = world.processes[at];
        let Some(mut write) = process.write else { return Ok(None) };
        let reaches = |tier: Tier| process.reach[tier as usize];
        let answer = match write.ask() {
            Ask::Look(_) if loses => return Ok(None),
            Ask::Look(tier) if reaches(tier) => Answer::Held(world.tiers[tier as usize]),
            Ask::Swap { tier, lane, expected, seen, .. } if reaches(tier) => {
                if world.tiers[tier as usize].version(lane) == expected {
                    self.put(&mut world, tier, seen)?;
                    if loses { Answer::Failed } else { Answer::Accepted }
                } else if loses {
                    return Ok(None);
                } else {
                    Answer::Refused
                }
            }
            Ask::Remove { .. } => unreachable!("nothing is removed"),
            Ask::Look(_) | Ask::Swap { .. } => {
                if loses {
                    return Ok(None);
                }
                Answer::Failed
            }
            Ask::End(_) => return Ok(None),
        };
        let ask = write.ask();
        if loses {
            world.lost -= 1;
            // A tier that does not answer is not reached.
            if let (Some(change), Ask::Swap { tier, .. }) = (process.change, ask) {
                world.changes[change].reach[tier as usize] = false;
            }
        }
        write.answer(answer);
        world.processes[at].write = Some(write);
        if let Ask::End(verdict) = write.ask() {
            self.finish(&mut world, at, ask, verdict)?;
        }
        Ok(Some(world))
    }

    /// A tier takes a write.
    pub(crate) fn put(&self, world: &mut World, tier: Tier, seen: Seen) -> Outcome<()> {
        let held = world.tiers[tier as usize];
        let was = held.seen(self.lane);
        if seen.version <= was.version && held != Held::Missing {
            return Err(VERSIONS_RISE);
        }
        world.tiers[tier as usize] = held.with(self.lane, seen);
        let new = index(seen.change).expect("somebody wrote it");
        if let Some(old) = index(was.change).filter(|_| held.is_record())
            && old != new
        {
            let (of_old, of_new) = (world.changes[old], world.changes[new]);
            // One that was refused on the other tier is undone.
            if of_old.is_committed && of_old.descends_from(new) {
                return Err(NO_RETURN);
            }
            let descends = of_new.descends_from(old);
            if !self.is_lease() && tier == Tier::Durable && !descends {
                return Err(OVERRIDE_STAYS);
            }
            if self.is_lease() && old > 0 && of_old.is_committed && !of_old.is_expired {
                let shared = Tier::ALL.into_iter().any(|tier| {
                    let tier = tier as usize;
                    of_old.reach[tier] && !of_old.forgot[tier] && of_new.reach[tier]
                });
                if shared {
                    return Err(LEASE_STAYS);
                }
            }
            if !descends {
                world.changes[old].on[tier as usize] = false;
                world.changes[old].forgot[tier as usize] = true;
            }
        }
        world.changes[new].on[tier as usize] = true;
        Ok(())
    }

    pub(crate) fn finish(
        &self,
        world: &mut World,
        at: usize,
        ask: Ask,
        verdict: Verdict,
    ) -> Outcome<()> {
        let process = world.processes[at];
        world.processes[at].write = None;
        world.processes[at].change = None;
        let Some(change) = process.change else {
            let agreed = process.reach == BOTH && verdict == Verdict::Settled;
            if agreed {
                world.processes[at].kept = None;
            }
            return Ok(());
        };
        let Verdict::Committed { owed, .. } = verdict else { return Ok(()) };
        world.changes[change].is_committed = true;
        if let (Some(Tier::Durable), Ask::Swap { lane, seen, .. }) = (owed, ask) {
            let past = world.changes[change].past;
            let base = (0..change.max(CHANGES))
                .rev()
                .find(|at| past & (1 << at) != 0 && world.changes[*at].past | 1 << at == past);
            let base = base.map_or(ChangeId::default(), id);
            world.processes[at].kept = Some(Kept { lane, seen, base });
        }
        if !self.is_lease() || world.changes[change].is_expired {
            return Ok(());
        }
        let mine = world.changes[change];
        let shared = world.changes.iter().enumerate().any(|(other, of_other)| {
            other > 0
                && other != change
                && of_other.is_committed
                && !of_other.is_expired
                && (0..2).any(|tier| {
                    let both = mine.reach[tier] && of_other.reach[tier];
                    both && !mine.forgot[tier] && !of_other.forgot[tier]
                })
        });
        if shared { Err(ONE_HOLDER) } else { Ok(()) }
    }
}

impl Model for Tiers {
    type State = World;
    type Step = Step;

    fn start(&self) -> World {
        let seen = Seen { version: Version::new(0, 1), change: id(0), ..Seen::default() };
        let held = Held::Missing.with(self.lane, seen);
        let process = |at: usize| Process {
            is_alive: true,
            reach: self.reach[at],
            left: self.writes[at],
            made: 0,
            write: None,
            change: None,
            kept: None,
        };
        let mut changes = [Change::default(); CHANGES];
        changes[0] = Change {
            reach: BOTH,
            on: BOTH,
            is_committed: true,
            is_expired: true,
            ..Change::default()
        };
        World {
            tiers: [held; 2],
            processes: std::array::from_fn(process),
            changes,
            cuts: self.cuts,
            lost: self.lost,
            empties: self.empties,
            deaths: self.deaths,
            settles: self.settles,
        }
    }

    fn steps(&self, world: &World) -> Vec<(Step, Outcome<World>)> {
        let mut steps = Vec::new();
        let can_work = world
            .processes
            .iter()
            .any(|process| process.is_alive && (process.left > 0 || process.write.is_some()));
        for (at, process) in world.processes.iter().enumerate() {
            if !process.is_alive {
                continue;
            }
            if process.write.is_some() {
                for loses in [false, true] {
                    if loses && world.lost == 0 {
                        continue;
                    }
                    match self.work(world, at, loses) {
                        Ok(None) => {}
                        Ok(Some(after)) => steps.push((Step::Do(at, loses), Ok(after))),
                        Err(broken) => steps.push((Step::Do(at, loses), Err(broken))),
                    }
                }
            } else {
                if process.left > 0
                    && let Some(after) = self.begin(world, at)
                {
                    steps.push((Step::Begin(at), Ok(after)));
                }
                if world.settles > 0 && can_work {
                    let mut after = world.clone();
                    after.settles -= 1;
                    let work = Work::Settle { kept: process.kept };
                    after.processes[at].write = Some(Write::new(work, self.variant));
                    steps.push((Step::Settle(at), Ok(after)));
                }
            }
            if world.deaths > 0 && can_work {
                let mut after = world.clone();
                after.deaths -= 1;
                let process = &mut after.processes[at];
                (process.is_alive, process.write, process.kept) = (false, None, None);
                steps.push((Step::Die(at), Ok(after)));
            }
            if world.cuts > 0 && can_work {
                for reach in [BOTH, CACHE, DURABLE] {
                    if reach == process.reach {
                        continue;
                    }
                    let mut after = world.clone();
                    after.cuts -= 1;
                    let process = &mut after.processes[at];
                    process.reach = reach;
                    if let Some(change) = process.change {
                        let through = &mut after.changes[change].reach;
                        for tier in 0..2 {
                            through[tier] &= reach[tier];
                        }
                    }
                    steps.push((Step::Reach(at, reach), Ok(after)));
                }
            }
        }
        if world.empties > 0 && can_work && world.tiers[0] != Held::Missing {
            let mut after = world.clone();
            after.empties -= 1;
            after.tiers[0] = Held::Missing;
            for change in &mut after.changes {
                change.on[0] = false;
                change.forgot[0] = true;
            }
            steps.push((Step::Empty, Ok(after)));
        }
        if self.is_lease() && can_work {
            for change in 1..CHANGES {
                let of_change = world.changes[change];
                if of_change.on != [false; 2] && !of_change.is_expired {
                    let mut after = world.clone();
                    after.changes[change].is_expired = true;
                    steps.push((Step::Expire(change), Ok(after)));
                }
            }
        }
        steps
    }

    fn end(&self, world: &World) -> Outcome<()> {
        let tried = world.changes[1..].iter().any(|change| change.reach != [false; 2]);
        let won = world.changes[1..].iter().any(|change| change.is_committed);
        if !self.faults() && tried && !won {
            return Err(SOMEBODY_WINS);
        }
        // Nothing goes wrong any more: each that lives brings up what it owes, then anybody does.
        let mut world = world.clone();
        let kept = world.processes.map(|process| process.kept.filter(|_| process.is_alive));
        for kept in kept.into_iter().flatten().map(Some).chain([None]) {
            let mut write = Write::new(Work::Settle { kept }, self.variant);
            for _ in 0..100 {
                let answer = match write.ask() {
                    Ask::Look(tier) => Answer::Held(world.tiers[tier as usize]),
                    Ask::Swap { tier, lane, expected, seen, .. } => {
                        if world.tiers[tier as usize].version(lane) == expected {
                            self.put(&mut world, tier, seen)?;
                            Answer::Accepted
                        } else {
                            Answer::Refused
                        }
                    }
                    Ask::Remove { .. } => unreachable!("nothing is removed"),
                    Ask::End(_) => break,
                };
                write.answer(answer);
            }
            if !matches!(write.ask(), Ask::End(_)) {
                return Err(CONVERGES);
            }
        }
        let [cache, durable] = world.tiers.map(|held| {
            let seen = held.seen(self.lane);
            (held.is_record(), seen.version, seen.change)
        });
        if cache != durable {
            return Err(CONVERGES);
        }
        let last = index(cache.2).expect("somebody wrote it");
        for (change, of_change) in world.changes.iter().enumerate() {
            // `on` is from before the end: what a tier or a live process knew then.
            let owner = change.checked_sub(1).map(|change| world.processes[change / 2].is_alive);
            let is_known = of_change.on != [false; 2] || owner == Some(true);
            if of_change.is_committed && is_known && of_change.descends_from(last) {
                return Err(NOTHING_LOST);
            }
        }
        Ok(())
    }
}
