//! What a circuit may write over what a store has.

use std::time::Duration;

use crate::{
    circuit::{State, Version},
    store::{CircuitRecord, Expected, Extra, Lane, OverrideLane, SettingsLane, StateLane, Stored},
};

/// Two openings end at the same time if no more than this is between their ends.
const SAME_END: Duration = Duration::from_millis(1);

/// A state change that is to be committed.
#[derive(Clone, Debug)]
pub(super) struct StateChange {
    /// The state that it was decided from.
    pub(super) from: State,
    /// What is to be written: all but the version.
    pub(super) lane: StateLane,
    /// How long the new state has been in force.
    pub(super) age: Duration,
    /// A person wants it, whatever the store has.
    pub(super) forced: bool,
    /// The lease of the round that decided it. If that is lost, so is what it decided.
    pub(super) lease: Option<u64>,
    /// The version of the state that it is about, if it is about no other.
    pub(super) about: Option<Version>,
    /// What is to be written beside the lane.
    pub(super) extra: Extra,
}

/// What is to be done about a change.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// It is to be written.
    Propose { expected: Expected, next: Box<CircuitRecord> },
    /// The store has it already.
    Done,
    /// Somebody else decided otherwise, from the state that it was decided from.
    Lost,
    /// It comes of a lease that somebody else has by now.
    Fenced,
}

/// What is to be done about a state change, with what the store has now.
///
/// If the store is in the state that the change was decided from, it is proposed, whoever wrote that
/// state. Two openings merge: the one that ends later is in force.
pub(super) fn state_step(record: &Basis<'_>, change: &StateChange) -> Step {
    let current = record.state();
    let to = change.lane.state;
    if !change.forced {
        if change.about.is_some_and(|about| about != record.version()) {
            return Step::Lost;
        }
        if change.lease.is_some() {
            if record.lease() != change.lease {
                return Step::Fenced;
            }
        } else if current == to {
            let mine = change.lane.open_for.saturating_sub(change.age);
            if to != State::Open || mine <= record.open_time_left() + SAME_END {
                return Step::Done;
            }
        } else if current != change.from {
            return Step::Lost;
        }
    }
    record.propose(Lane::State, |next, version| {
        next.state = StateLane { version, ..change.lane.clone() };
        next.age = change.age;
        next.extra.extend(change.extra.clone());
    })
}

/// How an override is written: over whatever the store has.
pub(super) fn override_step(record: &Basis<'_>, lane: &OverrideLane) -> Step {
    record.propose(Lane::Override, |next, version| {
        next.override_ = OverrideLane { version, ..lane.clone() };
    })
}

/// How live settings are written: over whatever the store has.
pub(super) fn settings_step(record: &Basis<'_>, lane: &SettingsLane) -> Step {
    record.propose(Lane::Settings, |next, version| {
        next.settings = SettingsLane { version, ..lane.clone() };
    })
}

/// What a proposal starts from.
pub(super) struct Basis<'a> {
    /// What the store has.
    pub(super) stored: Option<&'a Stored>,
    /// The record to write a lane of, where the store has none.
    pub(super) blank: &'a CircuitRecord,
    /// The time since the record was read.
    pub(super) since_read: Duration,
    /// The highest version that was ever seen of a lane: one that lost its record goes on from there.
    pub(super) highest: [Version; 3],
}

impl Basis<'_> {
    fn record(&self) -> Option<&CircuitRecord> {
        match self.stored {
            Some(Stored::Record(record)) => Some(record),
            Some(Stored::Tombstone(_)) | None => None,
        }
    }

    fn version(&self) -> Version {
        self.stored.map_or(Version::default(), |stored| stored.version(Lane::State))
    }

    /// The token of the lease on the half-open round.
    fn lease(&self) -> Option<u64> {
        let lane = &self.record()?.state;
        lane.lease.as_ref().filter(|_| lane.state == State::HalfOpen).map(|lease| lease.token)
    }

    /// A circuit without a record is closed.
    pub(super) fn state(&self) -> State {
        self.record().map_or(State::Closed, |record| record.state.state)
    }

    fn open_time_left(&self) -> Duration {
        self.record().map_or(Duration::ZERO, |record| {
            record.state.open_for.saturating_sub(record.age.saturating_add(self.since_read))
        })
    }

    fn propose(&self, lane: Lane, write: impl FnOnce(&mut CircuitRecord, Version)) -> Step {
        let expected = Expected::found(lane, self.stored);
        let highest = expected.version.unwrap_or_default().max(self.highest[lane as usize]);
        let version = Version { counter: highest.counter.saturating_add(1), ..highest };
        let mut next = self.record().unwrap_or(self.blank).clone();
        if self.record().is_some() {
            // Those that are not written stay as they are, also where they changed since.
            next.extra = Extra::new();
        }
        write(&mut next, version);
        Step::Propose { expected, next: Box::new(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        breaker::ServiceName,
        store::{Lease, RunId, Timestamp, Tombstone},
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn blank() -> CircuitRecord {
        CircuitRecord::new(ServiceName::new("a").unwrap())
    }

    fn stored(state: State, open_for: Duration, counter: u64) -> Stored {
        let mut record = blank();
        record.state.state = state;
        record.state.open_for = open_for;
        record.state.version = Version::new(0, counter);
        Stored::Record(record)
    }

    fn change(from: State, to: State, open_for: Duration) -> StateChange {
        let lane = StateLane { state: to, open_for, ..StateLane::default() };
        StateChange {
            from,
            lane,
            age: Duration::ZERO,
            forced: false,
            lease: None,
            about: None,
            extra: Extra::new(),
        }
    }

    fn step(stored: Option<&Stored>, change: &StateChange) -> Step {
        let blank = blank();
        let highest = [Version::default(); 3];
        let basis = Basis { stored, blank: &blank, since_read: Duration::ZERO, highest };
        state_step(&basis, change)
    }

    /// The version that is expected and the one that is written.
    fn proposed(step: Step) -> (Option<u64>, u64) {
        match step {
            Step::Propose { expected, next } => {
                (expected.version.map(|version| version.counter), next.state.version.counter)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_change_is_proposed_over_the_state_that_it_was_decided_from_whoever_wrote_it() {
        let opening = change(State::Closed, State::Open, SECOND);
        for counter in [1, 9] {
            let closed = stored(State::Closed, Duration::ZERO, counter);
            assert_eq!(proposed(step(Some(&closed), &opening)), (Some(counter), counter + 1));
        }
        assert_eq!(proposed(step(None, &opening)), (None, 1), "never stored: closed");
    }

    #[test]
    fn a_change_from_a_state_that_is_over_is_lost() {
        let closing = change(State::HalfOpen, State::Closed, Duration::ZERO);
        let open = stored(State::Open, SECOND, 3);
        assert_eq!(step(Some(&open), &closing), Step::Lost);
    }

    #[test]
    fn of_two_openings_the_later_end_is_in_force() {
        let open = stored(State::Open, 10 * SECOND, 3);
        let shorter = change(State::Closed, State::Open, 10 * SECOND);
        assert_eq!(step(Some(&open), &shorter), Step::Done);
        let longer = change(State::Closed, State::Open, 11 * SECOND);
        assert_eq!(proposed(step(Some(&open), &longer)), (Some(3), 4));
        // It began earlier: its end is not later.
        let older = StateChange { age: 2 * SECOND, ..longer };
        assert_eq!(step(Some(&open), &older), Step::Done);
    }

    #[test]
    fn what_a_round_decided_is_written_over_its_own_lease_alone() {
        let lease =
            |token| Lease { token, owner: RunId::random(), term: SECOND, renewals: 0, budget: 1 };
        let Stored::Record(mut record) = stored(State::HalfOpen, Duration::ZERO, 5) else {
            panic!()
        };
        record.state.lease = Some(lease(7));
        let round = |token| StateChange {
            lease: Some(token),
            ..change(State::HalfOpen, State::Closed, Duration::ZERO)
        };
        let half_open = Stored::Record(record.clone());
        assert_eq!(proposed(step(Some(&half_open), &round(7))), (Some(5), 6));
        assert_eq!(step(Some(&half_open), &round(8)), Step::Fenced);
        for state in [State::Open, State::Closed] {
            record.state.state = state;
            assert_eq!(step(Some(&Stored::Record(record.clone())), &round(7)), Step::Fenced);
        }
        assert_eq!(step(None, &round(7)), Step::Fenced);
        // A round that had no lease does not end one that has.
        let alone = change(State::Open, State::Closed, Duration::ZERO);
        assert_eq!(step(Some(&half_open), &alone), Step::Lost);
    }

    #[test]
    fn what_a_quorum_decided_is_about_one_version() {
        let opening = StateChange {
            about: Some(Version::new(0, 5)),
            ..change(State::Closed, State::Open, SECOND)
        };
        for (counter, lost) in [(4, true), (5, false), (6, true)] {
            let closed = stored(State::Closed, Duration::ZERO, counter);
            assert_eq!(step(Some(&closed), &opening) == Step::Lost, lost);
        }
    }

    #[test]
    fn a_reset_is_written_over_anything() {
        let reset =
            StateChange { forced: true, ..change(State::HalfOpen, State::Closed, Duration::ZERO) };
        for state in [State::Closed, State::Open, State::HalfOpen] {
            let stored = stored(state, SECOND, 3);
            assert_eq!(proposed(step(Some(&stored), &reset)), (Some(3), 4));
        }
    }

    #[test]
    fn versions_go_on_where_a_record_was_removed_or_lost() {
        let opening = change(State::Closed, State::Open, SECOND);
        let Stored::Record(record) = stored(State::Closed, Duration::ZERO, 5) else { panic!() };
        let tombstone = Stored::Tombstone(Tombstone::of(&record, Timestamp::EPOCH));
        assert_eq!(proposed(step(Some(&tombstone), &opening)), (Some(5), 6));

        let blank = blank();
        let basis = Basis {
            stored: None,
            blank: &blank,
            since_read: Duration::ZERO,
            highest: [Version::new(2, 7), Version::default(), Version::default()],
        };
        let Step::Propose { expected, next } = state_step(&basis, &opening) else { panic!() };
        assert_eq!((expected.version, next.state.version), (None, Version::new(2, 8)));
    }

    #[test]
    fn a_lane_is_written_without_touching_the_others() {
        let Stored::Record(mut record) = stored(State::Open, SECOND, 5) else { panic!() };
        record.override_.version = Version::new(0, 2);
        record.extra.insert("later".to_owned(), 1.into());
        let stored = Stored::Record(record.clone());
        let blank = blank();
        let highest = [Version::default(); 3];
        let basis =
            Basis { stored: Some(&stored), blank: &blank, since_read: Duration::ZERO, highest };
        let lane = OverrideLane { by: Some("ann".to_owned()), ..OverrideLane::default() };
        let Step::Propose { expected, next } = override_step(&basis, &lane) else { panic!() };
        assert_eq!(expected.version, Some(Version::new(0, 2)));
        assert_eq!(next.override_.version, Version::new(0, 3));
        assert_eq!((&next.state, next.extra.len()), (&record.state, 0));
    }
}
