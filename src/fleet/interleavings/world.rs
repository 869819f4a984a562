//! Processes that probe under leases, and what each has seen of the others, in ticks.

use std::{sync::LazyLock, time::Duration};

use crate::{
    breaker::ServiceName,
    circuit::{Moment, State},
    fleet::lease::{Held, Sighting},
    store::{CircuitRecord, Lease, RunId, Stored},
};

/// The term of a lease, in ticks of a second.
pub(super) const TERM: u8 = 4;
/// Ages from here on are the same: longer than any rule here looks at.
pub(super) const OLD: u8 = 5;
/// How many leases there are, and how often each is renewed.
pub(super) const TOKENS: u8 = 2;
pub(super) const RENEWALS: u8 = 1;
pub(super) const PROCESSES: usize = 2;

/// The rules, and known broken ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
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

/// What the store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub(super) state: u8,
    pub(super) token: u8,
    pub(super) renewals: u8,
    pub(super) version: u8,
}

pub(super) const OPEN: u8 = 0;
pub(super) const HALF_OPEN: u8 = 1;
pub(super) const CLOSED: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Proposal {
    pub(super) expected: u8,
    pub(super) token: u8,
    pub(super) renewals: u8,
    /// How long ago it was begun.
    pub(super) age: u8,
    /// The answer that waits to be heard: what the store took.
    pub(super) answer: Option<Option<Row>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) is_dead: bool,
    pub(super) known: Option<Row>,
    /// How long ago it first saw the lease that it knows.
    pub(super) seen: u8,
    /// What that would be by the sound rule, where another one says otherwise.
    pub(super) seen_soundly: u8,
    pub(super) proposal: Option<Proposal>,
    /// Token, renewals and how long ago it began.
    pub(super) held: Option<(u8, u8, u8)>,
    pub(super) admitted: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) row: Row,
    pub(super) tokens: u8,
    pub(super) processes: [Process; PROCESSES],
    pub(super) lost: u8,
    pub(super) deaths: u8,
    pub(super) touches: u8,
}

pub(super) fn now() -> Moment {
    Moment::ZERO + ticks(2 * OLD)
}

pub(super) fn before(age: u8) -> Moment {
    now().before(ticks(age))
}

pub(super) fn ticks(ticks: u8) -> Duration {
    Duration::from_secs(ticks.into())
}

pub(super) fn lease(token: u8, renewals: u8) -> Lease {
    Lease {
        token: token.into(),
        owner: RunId::new(1).unwrap(),
        term: ticks(TERM),
        renewals: renewals.into(),
        budget: 1,
    }
}

/// All that a row can be, but for its version, which no rule here looks at: made once.
pub(super) static RECORDS: LazyLock<Vec<Stored>> = LazyLock::new(|| {
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

pub(super) fn stored(row: Row) -> &'static Stored {
    let state = row.state * (TOKENS + 1) + row.token;
    &RECORDS[usize::from(state * (RENEWALS + 1) + row.renewals)]
}

pub(super) fn record(row: Row) -> &'static CircuitRecord {
    match stored(row) {
        Stored::Record(record) => record,
        Stored::Tombstone(_) => unreachable!("all of them are records"),
    }
}

impl Process {
    pub(super) fn held((token, renewals, age): (u8, u8, u8)) -> Held {
        Held { lease: lease(token, renewals), began: before(age), admitted_before: 0, taken_in: 0 }
    }

    pub(super) fn learn(&mut self, rule: Rule, row: Row) {
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

    pub(super) fn grow_older(&mut self) {
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
