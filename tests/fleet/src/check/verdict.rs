//! What a checker says.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use crate::{
    log::{FaultKind, Log},
    said::{Line, Stats, Who},
};

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Defect {
    /// Two writes of a lane have one version.
    VersionTwice,
    /// Two writes of a lane were made over the same version.
    Fork,
    /// A write was made over a version that nobody wrote.
    UnknownBase,
    /// A process wrote a version below one that it had written.
    WentBack,
    /// A write that was acknowledged is not in the store.
    Lost,
    /// The history in the database is not one chain of what was tried.
    History,
    /// A process admitted probes under a lease that another one had taken over.
    TwoHolders,
    /// The result of a lost lease changed the record.
    LateResult,
    /// More probes reached the upstream than a lease permits.
    TooManyProbes,
    /// A process probed without a lease, and nothing explains it.
    UnleasedProbe,
    /// A circuit opened although too few calls had failed.
    OpenedWithoutFailures,
    /// A store did not answer although nothing was done to it.
    UnexplainedOutage,
    /// A process and the store did not agree in time after the last fault.
    Disagreement,
    /// Calls took longer beside a store.
    Slow,
    /// A circuit opened for all, and no quorum wanted that.
    OpenedForAll,
    /// A circuit did not open although the service failed for all.
    StayedClosed,
    /// A circuit did not close although the service was well.
    StayedOpen,
    /// The run saw too little to prove anything.
    ProvedNothing,
}

/// Something that is wrong.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// What kind of thing.
    pub defect: Defect,
    /// What exactly.
    pub what: String,
}

/// What a run saw.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Processes that were started.
    pub processes: u64,
    /// Calls that the upstream received.
    pub calls: u64,
    /// Writes that the store took.
    pub writes: u64,
    /// Writes that met another one.
    pub conflicts: u64,
    /// Leases that were taken.
    pub leases: u64,
    /// Leases that were taken over.
    pub takeovers: u64,
    /// Leases that were given back unused.
    pub unused: u64,
    /// Results that changed nothing since their lease was lost.
    pub fenced: u64,
    /// Results that came after the generation of their call.
    pub late: u64,
    /// Rounds under a lease, and the probes in them that arrived.
    pub leased: (u64, u64),
    /// Rounds without one while the stores did not answer, and their probes.
    pub alone: (u64, u64),
    /// Rounds without one since two leases in a row had found no call, and their probes.
    pub low_traffic: (u64, u64),
    /// Rounds of circuits that a process had opened for itself, and their probes.
    pub own: (u64, u64),
    /// Probes of a holder that had been stopped past its term.
    pub after_stop: u64,
    /// Writes of two processes over the same version while a tier was away.
    pub forks: u64,
    /// Times that a tier was given up.
    pub fail_overs: u64,
    /// Lanes that were written to a tier that had lost them.
    pub reseeds: u64,
    /// Lanes that were written to a tier that was behind.
    pub brought_up: u64,
    /// Lanes of which the tiers had different writes, one of which gave way.
    pub gave_way: u64,
    /// Versions that a tiered store gave to such a write, over which others were made.
    pub renumbered: u64,
    /// Outages that processes saw.
    pub outages: u64,
    /// Faults by kind.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Milliseconds from the last fault until all agreed.
    pub agreed_after: u64,
    /// Calls whose admission was timed.
    pub timed: u64,
    /// Nanoseconds, beside a store and without one: p50, p99, p99.9.
    pub taken: [[u64; 3]; 2],
}

/// What a run has to have seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Least {
    /// Leases that were taken over.
    pub takeovers: u64,
    /// Results that changed nothing since their lease was lost.
    pub fenced: u64,
    /// Times that a tier was given up.
    pub fail_overs: u64,
    /// Lanes that were written to a tier that had lost them.
    pub reseeds: u64,
    /// Rounds under a lease.
    pub leased: u64,
    /// Leases that were given back unused.
    pub unused: u64,
    /// Rounds without a lease since two in a row had found no call.
    pub low_traffic: u64,
    /// Calls whose admission was timed.
    pub calls: u64,
}

/// What is wrong with a run, and what it saw.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What is wrong.
    pub wrong: Vec<Wrong>,
    /// What was seen.
    pub counts: Counts,
    /// Where the logs of runs are with which something is wrong.
    pub kept: Vec<PathBuf>,
}

impl Verdict {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.wrong.is_empty()
    }

    /// Adds another run. Times are the longest.
    pub fn add(&mut self, run: Self) {
        self.wrong.extend(run.wrong);
        self.kept.extend(run.kept);
        let (all, run) = (&mut self.counts, run.counts);
        for (all, run) in [
            (&mut all.processes, run.processes),
            (&mut all.calls, run.calls),
            (&mut all.writes, run.writes),
            (&mut all.conflicts, run.conflicts),
            (&mut all.leases, run.leases),
            (&mut all.takeovers, run.takeovers),
            (&mut all.unused, run.unused),
            (&mut all.fenced, run.fenced),
            (&mut all.late, run.late),
            (&mut all.after_stop, run.after_stop),
            (&mut all.forks, run.forks),
            (&mut all.fail_overs, run.fail_overs),
            (&mut all.reseeds, run.reseeds),
            (&mut all.brought_up, run.brought_up),
            (&mut all.gave_way, run.gave_way),
            (&mut all.renumbered, run.renumbered),
            (&mut all.outages, run.outages),
            (&mut all.timed, run.timed),
        ] {
            *all += run;
        }
        for (all, run) in [
            (&mut all.leased, run.leased),
            (&mut all.alone, run.alone),
            (&mut all.low_traffic, run.low_traffic),
            (&mut all.own, run.own),
        ] {
            *all = (all.0 + run.0, all.1 + run.1);
        }
        for (kind, count) in run.faults {
            *all.faults.entry(kind).or_default() += count;
        }
        all.agreed_after = all.agreed_after.max(run.agreed_after);
        let taken = all.taken.iter_mut().flatten().zip(run.taken.into_iter().flatten());
        for (all, run) in taken {
            *all = (*all).max(run);
        }
    }

    /// Says that something is wrong.
    pub fn wrong(&mut self, defect: Defect, what: String) {
        self.wrong.push(Wrong { defect, what });
    }

    /// Counts what needs no judgement.
    pub(super) fn begin(log: &Log) -> Self {
        let mut counts = Counts::default();
        for fault in &log.faults {
            *counts.faults.entry(fault.kind).or_default() += 1;
        }
        counts.calls = log.arrivals.values().map(|round| round.total).sum();
        let mut last: BTreeMap<Who, Stats> = BTreeMap::new();
        for (who, said) in &log.said {
            match &said.line {
                Line::Ready { .. } => counts.processes += 1,
                Line::Late { .. } => counts.late += 1,
                Line::Stats(stats) => drop(last.insert(*who, *stats)),
                _ => {}
            }
        }
        for stats in last.values() {
            counts.takeovers += stats.takeovers;
            counts.fenced += stats.fenced;
            counts.unused += stats.unused;
            counts.fail_overs += stats.fail_overs;
            counts.reseeds += stats.reseeds;
            counts.brought_up += stats.brought_up;
            counts.gave_way += stats.gave_way;
        }
        Self { counts, ..Self::default() }
    }

    pub(super) fn compare(&mut self, least: &Least) {
        let seen = &self.counts;
        let pairs = [
            ("leases taken over", seen.takeovers, least.takeovers),
            ("fenced results", seen.fenced, least.fenced),
            ("fail-overs", seen.fail_overs, least.fail_overs),
            ("reseeds", seen.reseeds, least.reseeds),
            ("leased rounds", seen.leased.0, least.leased),
            ("unused leases", seen.unused, least.unused),
            ("rounds of low traffic", seen.low_traffic.0, least.low_traffic),
            ("calls that were timed", seen.timed, least.calls),
        ];
        for (what, seen, least) in pairs {
            if seen < least {
                self.wrong(Defect::ProvedNothing, format!("{what}: {seen}, at least {least}"));
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        let faults: u64 = counts.faults.values().sum();
        write!(f, "  {faults} faults:")?;
        for (kind, count) in &counts.faults {
            write!(f, " {kind:?} {count}")?;
        }
        writeln!(
            f,
            "\n  {} processes, {} calls, {} writes taken, {} conflicts, {} outages seen",
            counts.processes, counts.calls, counts.writes, counts.conflicts, counts.outages
        )?;
        writeln!(
            f,
            "  {} leases, {} taken over, {} unused; {} fenced results, {} late results; {} \
             fail-overs, {} reseeds, {} brought up",
            counts.leases,
            counts.takeovers,
            counts.unused,
            counts.fenced,
            counts.late,
            counts.fail_overs,
            counts.reseeds,
            counts.brought_up
        )?;
        let rounds = [
            ("leased", counts.leased),
            ("alone", counts.alone),
            ("low traffic", counts.low_traffic),
            ("own", counts.own),
        ];
        write!(f, "  rounds and probes:")?;
        for (what, (rounds, probes)) in rounds {
            write!(f, " {what} {rounds}, {probes};")?;
        }
        writeln!(
            f,
            "\n  excepted: {} probes of holders that had been stopped, {} forks while a tier was \
             away, {} renumbered of {} writes that gave way",
            counts.after_stop, counts.forks, counts.renumbered, counts.gave_way
        )?;
        let [ours, control] = counts.taken;
        writeln!(
            f,
            "  admission p50, p99, p99.9: {} ns, {} ns, {} ns; without a store {} ns, {} ns, {} ns",
            ours[0], ours[1], ours[2], control[0], control[1], control[2]
        )?;
        writeln!(f, "  agreed {} ms after the last fault", counts.agreed_after)?;
        write!(f, "  verdict: {}", if self.is_good() { "good" } else { "WRONG" })?;
        for wrong in self.wrong.iter().take(30) {
            write!(f, "\n    {:?}: {}", wrong.defect, wrong.what)?;
        }
        if self.wrong.len() > 30 {
            write!(f, "\n    and {} more", self.wrong.len() - 30)?;
        }
        for path in &self.kept {
            write!(f, "\n    the log is in {}", path.display())?;
        }
        Ok(())
    }
}
