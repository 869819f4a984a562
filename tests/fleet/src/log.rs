//! All that was said and done in a run.

use std::{collections::HashMap, io::Write as _, path::Path};

use crate::{
    Error,
    said::{Line, Said, Standing, Who},
    upstream::{Arrivals, Round},
};

/// What a checker reads. Times are nanoseconds of the clock that all processes share.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// How the fleet was set up.
    pub setup: Setup,
    /// What the processes said, those of each in its order.
    pub said: Vec<(Who, Said)>,
    /// What was done to them.
    pub faults: Vec<Fault>,
    /// What the upstream received.
    pub arrivals: HashMap<Round, Arrivals>,
    /// What is wrong with the history in the database, where it has to be one chain.
    pub history: Vec<String>,
    /// What had to be so for a while.
    pub phases: Vec<Phase>,
    /// How it ended; none if it was not looked at.
    pub end: Option<End>,
}

/// A time in which something has to be so.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// What.
    pub rule: Rule,
    /// From when.
    pub began: u64,
    /// Until when.
    pub ended: u64,
}

/// What has to be so in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// No process opens but the one in this place.
    NobodyOpensBut(usize),
    /// All processes have opened at its end.
    AllOpen,
    /// All processes are closed at its end but the one in this place, if there is one.
    AllCloseBut(Option<usize>),
}

/// How a fleet is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// There is a cache in front of the database.
    pub tiered: bool,
    /// How many processes it takes to open.
    pub quorum: u32,
    /// How many failures open a circuit.
    pub failures: u64,
    /// How many probes a round may have.
    pub probes: u64,
    /// How long after the last fault all have to agree.
    pub agree_within: u64,
}

/// Something that was done to the fleet.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// To which process; none if to all.
    pub slot: Option<usize>,
    /// From when.
    pub began: u64,
    /// Until when; none if it never ended.
    pub ended: Option<u64>,
}

/// What can be done to a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A process is killed.
    Killed,
    /// A process stands still.
    Stopped,
    /// The wall clock of a process jumps.
    ClockSet,
    /// The way to the database is cut off.
    DurableCut,
    /// The database stands still.
    DurableFrozen,
    /// The database is not there.
    DurableDown,
    /// The way to the cache is cut off.
    CacheCut,
    /// The cache stands still.
    CacheFrozen,
    /// The cache is not there.
    CacheDown,
    /// The cache came back empty.
    CacheEmptied,
}

impl FaultKind {
    /// Whether it keeps stores from being asked.
    #[must_use]
    pub const fn is_of_store(self) -> bool {
        !matches!(self, Self::Killed | Self::ClockSet)
    }
}

/// How a fleet was found at the end.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// When the last fault was over.
    pub healed: u64,
    /// When all agreed with the store; none if they did not.
    pub agreed: Option<u64>,
    /// Where the processes were.
    pub processes: Vec<(Who, Vec<Standing>)>,
    /// Where the store was, overrides included.
    pub store: Vec<Standing>,
}

impl Log {
    /// Writes it to a file for people, in the order of time.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let mut lines = Vec::new();
        for (who, said) in &self.said {
            if !matches!(said.line, Line::Speed { .. }) {
                lines.push((said.at, format!("{who} {}", serde_json::to_string(said)?)));
            }
        }
        for fault in &self.faults {
            lines.push((fault.began, format!("{fault:?}")));
        }
        for (round, arrivals) in &self.arrivals {
            let at = arrivals.calls.first().map_or(0, |call| call.received);
            lines.push((
                at,
                format!("{round:?} {} calls, {} failed", arrivals.total, arrivals.failed),
            ));
        }
        lines.sort();
        let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
        for (at, line) in lines {
            writeln!(file, "{at} {line}")?;
        }
        Ok(file.flush()?)
    }

    /// Whether a fault of such a kind was on a process in that time.
    #[must_use]
    pub fn was(
        &self,
        slot: usize,
        from: u64,
        until: u64,
        kind: impl Fn(FaultKind) -> bool,
    ) -> bool {
        self.faults.iter().any(|fault| {
            kind(fault.kind)
                && fault.slot.is_none_or(|hit| hit == slot)
                && fault.began <= until
                && fault.ended.is_none_or(|ended| ended >= from)
        })
    }
}
