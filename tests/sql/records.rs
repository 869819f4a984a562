//! Records and events to write.

use std::time::Duration;

use tower_breaker::{
    ServiceName, State,
    circuit::Version,
    store::{
        ChangeId, CircuitRecord, EventId, EventKind, EventRecord, Expected, Lane, Lease, RunId,
        Timestamp,
    },
};

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::new(name).expect("a name")
}

/// A record whose state lane is open, with every field of it set.
pub(crate) fn open(name: &str, counter: u64) -> CircuitRecord {
    let mut record = CircuitRecord::new(service(name));
    let state = &mut record.state;
    state.version = Version::new(0, counter);
    state.change_id = ChangeId::random();
    state.state = State::Open;
    state.open_for = Duration::from_micros(61_234_567);
    state.reopens = 2;
    state.lease = Some(Lease {
        token: 7,
        owner: RunId::new(9).expect("a run"),
        term: Duration::from_millis(1500),
        renewals: 1,
        budget: 3,
    });
    state.reason = Some("5 failures in a row (threshold 5)".to_owned());
    state.failure_count = 5;
    state.last_failure_at = Timestamp::from_micros(1_700_000_000_000_000);
    state.failure_threshold = Some(5);
    state.recovery_timeout = Duration::from_millis(60_500);
    record
}

pub(crate) fn event(run: RunId, sequence: u64, name: &str, kind: EventKind) -> EventRecord {
    let at = Timestamp::from_micros(1_700_000_000_000_000 + sequence as i64).expect("a time");
    EventRecord::new(EventId { run, sequence }, service(name), at, kind)
}

pub(crate) fn first(lane: Lane) -> Expected {
    Expected::missing(lane)
}

pub(crate) fn after(lane: Lane, counter: u64) -> Expected {
    Expected::version(lane, Version::new(0, counter))
}
