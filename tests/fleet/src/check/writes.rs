//! What was written, with what came of it.

use std::collections::{BTreeMap, HashMap};

use tower_breaker::{
    State,
    circuit::Version,
    store::{Lane, RunId},
};

use crate::{
    log::Log,
    said::{Answer, Line, Who, Write},
};

/// A lane of a circuit.
pub(super) type Place = (String, Lane);

/// A write, with what came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    pub(super) who: Who,
    pub(super) write: &'a Write,
    /// The place of its line among those of its process.
    pub(super) sequence: u64,
    pub(super) began: u64,
    /// When it was answered, if it was.
    pub(super) ended: Option<u64>,
    pub(super) came: Came,
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Came {
    /// The store has it, under this version.
    Taken(Version),
    /// Another one was first.
    Lost,
    /// Nobody knows.
    Unknown,
}

impl Written<'_> {
    pub(super) fn place(&self) -> Place {
        (self.write.attempt.service.clone(), self.write.attempt.lane)
    }

    pub(super) fn taken(&self) -> Option<Version> {
        match self.came {
            Came::Taken(version) => Some(version),
            Came::Lost | Came::Unknown => None,
        }
    }

    /// Whether a lease begins with it.
    pub(super) fn begins_lease(&self) -> bool {
        self.write.lease.as_ref().is_some_and(|lease| lease.renewals == 0)
            && self.write.attempt.to == Some(State::HalfOpen)
    }
}

/// All writes of a log.
#[derive(Debug, Default)]
pub(super) struct Writes<'a> {
    /// In the order of the log: those of a process in its order.
    pub(super) all: Vec<Written<'a>>,
    /// Who each process is to the store.
    pub(super) runs: HashMap<Who, RunId>,
}

impl<'a> Writes<'a> {
    pub(super) fn of(log: &'a Log) -> Self {
        let mut writes = Self::default();
        let mut places: HashMap<(Who, u64), usize> = HashMap::new();
        for (who, said) in &log.said {
            match &said.line {
                Line::Ready { run } => drop(writes.runs.insert(*who, *run)),
                Line::Try(write) => {
                    places.insert((*who, said.sequence), writes.all.len());
                    writes.all.push(Written {
                        who: *who,
                        write,
                        sequence: said.sequence,
                        began: said.at,
                        ended: None,
                        came: Came::Unknown,
                    });
                }
                Line::Answer { of, answer } => {
                    let written = places.get(&(*who, *of)).and_then(|at| writes.all.get_mut(*at));
                    let Some(written) = written else { continue };
                    written.ended = Some(said.at);
                    written.came = match answer {
                        Answer::Taken { version } => Came::Taken(*version),
                        // An earlier try of it, whose answer was lost.
                        Answer::Conflict { version: Some(version), change: Some(change) }
                            if *change == written.write.attempt.change =>
                        {
                            Came::Taken(*version)
                        }
                        Answer::Conflict { .. } => Came::Lost,
                        Answer::Failed { .. } => Came::Unknown,
                    };
                }
                _ => {}
            }
        }
        writes
    }

    /// What the store took, by lane and version. Of two with one version, one.
    pub(super) fn taken(&self) -> HashMap<Place, BTreeMap<Version, Written<'a>>> {
        let mut lanes: HashMap<Place, BTreeMap<Version, Written<'a>>> = HashMap::new();
        for written in &self.all {
            if let Some(version) = written.taken() {
                lanes.entry(written.place()).or_default().entry(version).or_insert(*written);
            }
        }
        lanes
    }
}
