//! Logs that are made line by line.

use tower_breaker::{
    State,
    circuit::Version,
    store::{ChangeId, Lane, RunId},
};
use tower_breaker_torture::line::Attempt;

use super::{Counts, Defect, Least, check};
use crate::{
    log::{End, Fault, FaultKind, Log, Setup},
    said::{Answer, Leased, Line, Said, Standing, Stats, Turn, Who, Write},
    upstream::{Arrival, Round},
};

pub(super) const A: Who = Who { slot: 0, life: 0 };
pub(super) const B: Who = Who { slot: 1, life: 0 };
/// A millisecond.
pub(super) const MS: u64 = 1_000_000;

/// A log that is made line by line.
#[derive(Default)]
pub(super) struct Story {
    pub(super) log: Log,
    sequence: u64,
    change: u64,
}

impl Story {
    pub(super) fn new() -> Self {
        let mut story = Self::default();
        story.log.setup =
            Setup { tiered: false, quorum: 1, failures: 3, probes: 3, agree_within: 1000 * MS };
        for who in [A, B] {
            story.says(who, 0, Line::Ready { run: run(who) });
            story.says(who, 0, Line::Store { up: true, error: None });
        }
        story
    }

    pub(super) fn says(&mut self, who: Who, ms: u64, line: Line) -> u64 {
        self.sequence += 1;
        self.log.said.push((who, Said { sequence: self.sequence, at: ms * MS, line }));
        self.sequence
    }

    pub(super) fn attempt(&mut self, version: u64, to: State, reason: &str) -> Write {
        self.change += 1;
        Write {
            attempt: Attempt {
                service: "a".to_owned(),
                lane: Lane::State,
                version: Version::new(0, version),
                change: ChangeId::new(self.change).unwrap(),
                event: None,
                from: None,
                to: Some(to),
            },
            expected: (version > 1).then(|| Version::new(0, version - 1)),
            lease: None,
            reason: reason.to_owned(),
            unused: None,
        }
    }

    /// A write that is taken a millisecond later.
    pub(super) fn writes(&mut self, who: Who, ms: u64, write: Write) {
        let version = write.attempt.version;
        let of = self.says(who, ms, Line::Try(write));
        self.says(who, ms + 1, Line::Answer { of, answer: Answer::Taken { version } });
    }

    pub(super) fn opens(&mut self, who: Who, ms: u64, version: u64) {
        let turn = turn(State::Closed, State::Open, version, "consecutive_failures");
        self.says(who, ms, Line::Turn(turn));
        let write = self.attempt(version, State::Open, "consecutive_failures");
        self.writes(who, ms, write);
    }

    pub(super) fn leases(&mut self, who: Who, ms: u64, version: u64, token: u64) {
        let mut write = self.attempt(version, State::HalfOpen, "leased");
        write.lease = Some(Leased { token, owner: run(who), renewals: 0, budget: 3 });
        self.writes(who, ms, write);
        let turn = turn(State::Open, State::HalfOpen, version, "granted");
        self.says(who, ms + 2, Line::Turn(turn));
    }

    pub(super) fn arrive(&mut self, who: Who, generation: u64, admitted: &[u64], failed: u64) {
        let round = Round { who, service: "a".to_owned(), generation };
        let arrivals = self.log.arrivals.entry(round).or_default();
        for at in admitted {
            let sequence = arrivals.total;
            let (admitted, received) = (at * MS, at * MS + 1);
            arrivals.calls.push(Arrival { sequence, admitted, received });
            arrivals.total += 1;
        }
        arrivals.failed += failed;
    }

    pub(super) fn closes(&mut self, who: Who, ms: u64, version: u64) {
        let write = self.attempt(version, State::Closed, "probes_succeeded");
        self.writes(who, ms, write);
    }

    pub(super) fn ends(&mut self, version: u64, state: State) {
        let standing =
            Standing { service: "a".to_owned(), state, version: Some(Version::new(0, version)) };
        self.log.end = Some(End {
            healed: 2000 * MS,
            agreed: Some(2100 * MS),
            processes: [A, B].map(|who| (who, vec![standing.clone()])).to_vec(),
            store: vec![standing],
        });
    }

    pub(super) fn fault(&mut self, kind: FaultKind, slot: Option<usize>, from: u64, until: u64) {
        self.log.faults.push(Fault { kind, slot, began: from * MS, ended: Some(until * MS) });
    }

    pub(super) fn defects(&self, least: &Least) -> (Vec<Defect>, Counts) {
        let verdict = check(&self.log, least);
        let mut defects: Vec<_> = verdict.wrong.iter().map(|wrong| wrong.defect).collect();
        defects.dedup();
        (defects, verdict.counts)
    }
}

pub(super) fn run(who: Who) -> RunId {
    RunId::new(who.slot as u64 + 1).unwrap()
}

/// The generation is the version.
pub(super) fn turn(from: State, to: State, version: u64, reason: &str) -> Turn {
    Turn {
        service: "a".to_owned(),
        from,
        to,
        generation: version,
        version: Version::new(0, version),
        reason: reason.to_owned(),
    }
}

/// A outage as it should be: one opens, the same one leases, probes and closes.
pub(super) fn good() -> Story {
    let mut story = Story::new();
    story.arrive(A, 0, &[80, 85, 90], 3);
    story.opens(A, 100, 1);
    story.leases(A, 400, 2, 7);
    story.arrive(A, 2, &[405, 410, 415], 0);
    story.closes(A, 420, 3);
    story.says(A, 900, Line::Stats(Stats { takeovers: 1, fenced: 1, ..Stats::default() }));
    story.says(A, 901, Line::Speed { ours: vec![300; 5000], control: vec![200; 5000] });
    story.ends(3, State::Closed);
    story
}
