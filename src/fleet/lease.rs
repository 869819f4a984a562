//! Who may probe a circuit that was open: the rules of the lease on a half-open round.
//!
//! Pure: it is handed the times. A holder admits probes for half the term, counted from when it
//! *began* to take or renew the lease; everybody else waits the whole term, counted on their own
//! clock from when they first saw that lease, or that renewal. So no two processes probe at the same
//! time, however slow the store was to either, and no clock is compared with another.

use std::time::Duration;

use crate::{
    circuit::{Moment, State},
    store::{CircuitRecord, Lease},
};

/// The term that is assumed of a half-open record without a lease: an earlier version wrote it.
const ASSUMED_TERM: Duration = Duration::from_secs(60);
/// The longest term there is: one that says more is not waited for longer.
const LONGEST: Duration = Duration::from_secs(600);
/// A lease that is this many terms old by the store's own clock is over for processes too that did
/// not live long enough to see one pass.
const BACKSTOP: u32 = 3;
/// How often a lease is renewed at most: a probe that hangs for ever is not waited for.
const MOST_RENEWALS: u32 = 240;
/// From how many leases in a row on that saw no call processes probe without one.
const UNUSED: u64 = 2;

/// Where a record counts the leases in a row that were given back without a single call.
pub(super) const UNUSED_LEASES: &str = "unused_leases";

/// Somebody's lease, as this process has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    token: u64,
    renewals: u32,
    first_seen: Moment,
}

impl Sighting {
    /// What was seen of the record's lease, if it has one. What moves the time on is another token
    /// or another renewal, not another version: an override moves that too.
    pub(super) fn of(record: &CircuitRecord, before: Option<Self>, now: Moment) -> Option<Self> {
        if record.state.state != State::HalfOpen {
            return None;
        }
        let (token, renewals) =
            record.state.lease.as_ref().map_or((0, 0), |lease| (lease.token, lease.renewals));
        let same = before.filter(|seen| seen.token == token && seen.renewals == renewals);
        Some(same.unwrap_or(Self { token, renewals, first_seen: now }))
    }
}

/// What a process may do about a round that it would like to probe in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Propose a lease of its own.
    Take,
    /// Ask again after this time.
    Wait(Duration),
    /// There is no round to have: the circuit is closed for all.
    Nothing,
}

/// Whether a process may propose to lease the round, as the store's record stands.
///
/// `age` is that of the record by the store's clock, with the time since it was read.
pub(super) fn claim(
    record: &CircuitRecord,
    seen: Option<Sighting>,
    age: Duration,
    now: Moment,
) -> Claim {
    match record.state.state {
        State::Open => match record.state.open_for.saturating_sub(age) {
            Duration::ZERO => Claim::Take,
            left => Claim::Wait(left),
        },
        State::HalfOpen => {
            let (term, renewals) = record
                .state
                .lease
                .as_ref()
                .map_or((ASSUMED_TERM, 0), |lease| (lease.term.min(LONGEST), lease.renewals));
            let by_store = term.saturating_mul(BACKSTOP.saturating_add(renewals));
            let by_store = by_store.saturating_sub(age);
            let by_own = seen.map_or(term, |seen| term.saturating_sub(now.since(seen.first_seen)));
            match by_own.min(by_store) {
                Duration::ZERO => Claim::Take,
                left => Claim::Wait(left),
            }
        }
        _ => Claim::Nothing,
    }
}

/// A lease of this process.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) lease: Lease,
    /// When it began to take or renew it, on a clock that counts suspended time.
    pub(super) began: Moment,
    /// How many calls had been admitted when it was taken.
    pub(super) admitted_before: u64,
    /// The generation of the circuit that it was taken in. The round that it is for began after it.
    pub(super) taken_in: u64,
}

/// What a holder has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upkeep {
    /// Nothing before this time is over.
    Wait(Duration),
    /// Renew it: probes are under way.
    Renew,
    /// Give it back: nobody called.
    Release,
    /// Forget it: its term is over.
    Lapsed,
}

impl Held {
    /// How long probes are admitted from now on.
    pub(super) fn admits_for(&self, now: Moment) -> Duration {
        (self.lease.term / 2).saturating_sub(now.since(self.began))
    }

    /// What is to be done, with the calls that have been admitted by now.
    pub(super) fn upkeep(&self, admitted: u64, now: Moment) -> Upkeep {
        let (term, since) = (self.lease.term, now.since(self.began));
        let used = admitted > self.admitted_before;
        if since >= term {
            return Upkeep::Lapsed;
        }
        let due = match (used, self.lease.renewals < MOST_RENEWALS) {
            (false, _) => term / 2,
            (true, true) => term / 4,
            (true, false) => term,
        };
        match due.saturating_sub(since) {
            Duration::ZERO if used => Upkeep::Renew,
            Duration::ZERO => Upkeep::Release,
            // Looked at now and then, since a first call moves what is due.
            left => Upkeep::Wait(left.min(term / 8)),
        }
    }
}

/// Whether leases find nobody who calls, so that the processes probe without them.
pub(crate) fn is_low_traffic(record: &CircuitRecord) -> bool {
    unused_leases(record) >= UNUSED
}

/// The leases in a row that saw no call.
pub(super) fn unused_leases(record: &CircuitRecord) -> u64 {
    record.extra.get(UNUSED_LEASES).and_then(serde_json::Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{breaker::ServiceName, store::RunId};

    const SECOND: Duration = Duration::from_secs(1);
    const TERM: Duration = Duration::from_secs(8);

    fn at(seconds: u64) -> Moment {
        Moment::ZERO + SECOND * u32::try_from(seconds).unwrap()
    }

    fn lease(token: u64, renewals: u32) -> Lease {
        Lease { token, owner: RunId::random(), term: TERM, renewals, budget: 3 }
    }

    fn half_open(token: u64, renewals: u32) -> CircuitRecord {
        let mut record = CircuitRecord::new(ServiceName::new("a").unwrap());
        record.state.state = State::HalfOpen;
        record.state.lease = Some(lease(token, renewals));
        record
    }

    #[test]
    fn an_opening_may_be_leased_when_its_time_is_over_and_a_closed_circuit_never() {
        let mut record = CircuitRecord::new(ServiceName::new("a").unwrap());
        assert_eq!(claim(&record, None, SECOND, at(1)), Claim::Nothing);
        record.state.state = State::Open;
        record.state.open_for = 5 * SECOND;
        assert_eq!(claim(&record, None, 2 * SECOND, at(1)), Claim::Wait(3 * SECOND));
        assert_eq!(claim(&record, None, 5 * SECOND, at(1)), Claim::Take);
    }

    #[test]
    fn an_observer_waits_the_whole_term_from_when_it_first_saw_that_renewal() {
        let record = half_open(7, 0);
        let seen = Sighting::of(&record, None, at(10));
        assert_eq!(claim(&record, seen, Duration::ZERO, at(17)), Claim::Wait(SECOND));
        assert_eq!(claim(&record, seen, Duration::ZERO, at(18)), Claim::Take);
        // The same lease, read again with another version: the time goes on.
        assert_eq!(Sighting::of(&record, seen, at(15)), seen);
        // Renewed: it begins anew. So it does under another token.
        for again in [half_open(7, 1), half_open(8, 0)] {
            let seen = Sighting::of(&again, seen, at(15));
            assert_eq!(claim(&again, seen, Duration::ZERO, at(18)), Claim::Wait(5 * SECOND));
        }
        assert_eq!(Sighting::of(&CircuitRecord::new(record.service), seen, at(15)), None);
    }

    #[test]
    fn a_process_that_has_just_begun_goes_by_three_terms_of_the_stores_clock() {
        let record = half_open(7, 2);
        let seen = Sighting::of(&record, None, at(10));
        assert_eq!(claim(&record, seen, 5 * TERM - SECOND, at(10)), Claim::Wait(SECOND));
        assert_eq!(claim(&record, seen, 5 * TERM, at(10)), Claim::Take);
    }

    #[test]
    fn a_lease_that_says_it_lasts_for_ever_does_not() {
        let mut record = half_open(7, u32::MAX);
        record.state.lease.as_mut().unwrap().term = Duration::MAX;
        let seen = Sighting::of(&record, None, at(0));
        assert_eq!(claim(&record, seen, Duration::ZERO, at(599)), Claim::Wait(SECOND));
        assert_eq!(claim(&record, seen, Duration::ZERO, at(600)), Claim::Take);
    }

    #[test]
    fn a_round_without_a_lease_is_waited_for_too() {
        let mut record = half_open(7, 0);
        record.state.lease = None;
        let seen = Sighting::of(&record, None, at(0));
        assert_eq!(claim(&record, seen, Duration::ZERO, at(59)), Claim::Wait(SECOND));
        assert_eq!(claim(&record, seen, Duration::ZERO, at(60)), Claim::Take);
    }

    #[test]
    fn probes_are_admitted_for_half_the_term_from_when_it_was_begun_to_be_taken() {
        let held = Held { lease: lease(1, 0), began: at(10), admitted_before: 5, taken_in: 1 };
        assert_eq!(held.admits_for(at(11)), 3 * SECOND);
        assert_eq!(held.admits_for(at(14)), Duration::ZERO);
        assert_eq!(held.admits_for(at(99)), Duration::ZERO);
    }

    #[test]
    fn a_lease_is_renewed_while_it_is_used_and_given_back_when_nobody_calls() {
        let held = |renewals| Held {
            lease: lease(1, renewals),
            began: at(10),
            admitted_before: 5,
            taken_in: 1,
        };
        for (renewals, admitted, now, upkeep) in [
            (0, 5, 10, Upkeep::Wait(SECOND)),
            (0, 5, 13, Upkeep::Wait(SECOND)),
            (0, 5, 14, Upkeep::Release),
            (0, 6, 11, Upkeep::Wait(SECOND)),
            (0, 6, 12, Upkeep::Renew),
            (0, 6, 17, Upkeep::Renew),
            (0, 6, 18, Upkeep::Lapsed),
            (0, 5, 18, Upkeep::Lapsed),
            (MOST_RENEWALS, 6, 17, Upkeep::Wait(SECOND)),
        ] {
            assert_eq!(
                held(renewals).upkeep(admitted, at(now)),
                upkeep,
                "{renewals} {admitted} {now}"
            );
        }
    }

    #[test]
    fn two_leases_in_a_row_that_nobody_used_make_low_traffic() {
        let mut record = half_open(7, 0);
        for (unused, low) in [(0, false), (1, false), (2, true), (9, true)] {
            record.extra.insert(UNUSED_LEASES.to_owned(), unused.into());
            assert_eq!(is_low_traffic(&record), low);
        }
        record.extra.insert(UNUSED_LEASES.to_owned(), "many".into());
        assert!(!is_low_traffic(&record), "somebody else's");
    }
}
