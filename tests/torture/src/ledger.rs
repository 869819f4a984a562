//! What the workers said that they tried, and what was acknowledged.

use std::collections::HashMap;

use tower_breaker::{circuit::Version, store::Lane};

use crate::line::{Attempt, Line, Point};

/// A lane of a circuit.
pub type Place = (String, Lane);

/// What all workers of a run said, in any order.
#[derive(Debug, Default)]
pub struct Ledger {
    tries: HashMap<Place, HashMap<Version, Vec<Attempt>>>,
    /// What was acknowledged, or is known to be committed, and was not checked yet.
    pub(crate) acked: Vec<Attempt>,
    /// What is known not to have been sent, and was not checked yet.
    pub(crate) unsent: Vec<Attempt>,
    /// How many writes were tried.
    pub tried: u64,
    /// How many of them were acknowledged.
    pub acknowledged: u64,
    /// How many met another one.
    pub conflicts: u64,
    /// What else the store said.
    pub failures: Vec<String>,
}

impl Ledger {
    /// Takes down what a worker said.
    pub fn note(&mut self, line: &Line) {
        match line {
            Line::Try(attempt) => {
                self.tried += 1;
                let place = (attempt.service.clone(), attempt.lane);
                let versions = self.tries.entry(place).or_default();
                versions.entry(attempt.version).or_default().push(attempt.clone());
            }
            Line::Ack(attempt) => {
                self.acknowledged += 1;
                self.acked.push(attempt.clone());
            }
            Line::Hold { point: Point::After, attempt } => self.acked.push(attempt.clone()),
            Line::Hold { point: Point::Before, attempt } => self.unsent.push(attempt.clone()),
            Line::Conflict(_) => self.conflicts += 1,
            Line::Failed { error, .. } => self.failures.push(error.clone()),
            _ => {}
        }
    }

    /// What was tried to be that version of a lane.
    pub(crate) fn tries(&self, place: &Place, version: Version) -> &[Attempt] {
        self.tries.get(place).and_then(|versions| versions.get(&version)).map_or(&[], Vec::as_slice)
    }
}
