//! What the checks write.

use std::time::Duration;

use serde_json::json;

use super::verdict::Stop;
use crate::{
    circuit::{Override, State, Version},
    name::ServiceName,
    store::{
        ChangeId, CircuitRecord, EventId, EventKind, EventRecord, Lane, Lease, RunId, Timestamp,
        TraceId,
    },
};

/// The largest number that stores keep.
pub(super) const LARGEST: u64 = i64::MAX as u64;

pub(super) fn service(name: impl AsRef<str>) -> Result<ServiceName, Stop> {
    ServiceName::new(name).map_err(|error| Stop::Failed(error.to_string()))
}

/// So many seconds after the beginning of 2020.
pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.after(Duration::from_secs(1_577_836_800 + seconds))
}

/// Names that a store may mix up, cut, or take for something else.
pub(super) fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "a",
        "A",
        "a ",
        " a",
        "á",
        "a\u{301}",
        "ä",
        "ß",
        "ss",
        "payments",
        "payments/eu",
        "payments%",
        "payments_",
        "paymentsx",
        "*",
        "?",
        "[a-z]",
        "$1",
        ":name",
        "@p1",
        "'",
        "''",
        "\"",
        "`",
        "\\",
        "\\'",
        "';DROP TABLE circuit_breaker_states;--",
        "{}",
        "{a}",
        "null",
        "NULL",
        "0",
        "00",
        "-1",
        "..",
        "../a",
        "a/../b",
        "a:b",
        "a::b",
        "a b",
        "a,b",
        "決済",
        "платежи",
        "الدفع",
        "תשלומים",
        "🦀",
        "👩\u{200d}👧",
        "\u{200b}",
        "\u{feff}a",
    ]
    .map(str::to_owned)
    .into();
    // Every length there is, in bytes; the longest in characters of four bytes too.
    names.extend((2..=ServiceName::MAX_LEN).map(|len| "n".repeat(len)));
    names.push("🦀".repeat(ServiceName::MAX_LEN / 4));
    names
}

/// A record of which one lane is filled, as no other call fills it.
pub(super) fn proposal(service: &ServiceName, lane: Lane, version: Version) -> CircuitRecord {
    let mut record = CircuitRecord::new(service.clone());
    let mark = format!("{lane:?} {version}", lane = lane.as_str());
    match lane {
        Lane::State => {
            record.state.version = version;
            record.state.change_id = ChangeId::random();
            record.state.state = State::Open;
            record.state.open_for = Duration::from_micros(30_000_001);
            record.state.reopens = 3;
            record.state.reason = Some(mark);
            record.state.failure_count = 7;
        }
        Lane::Override => {
            record.override_.version = version;
            record.override_.change_id = ChangeId::random();
            record.override_.value = Some(Override::ForcedOpen);
            record.override_.by = Some(mark);
        }
        Lane::Settings => {
            record.settings.version = version;
            record.settings.change_id = ChangeId::random();
            record.settings.changes.insert("failure_threshold".to_owned(), json!(9));
            record.settings.by = Some(mark);
        }
    }
    record
}

/// What a store must keep of a lane: all but the time, which is the store's.
pub(super) fn same_lane(lane: Lane, stored: &CircuitRecord, written: &CircuitRecord) -> bool {
    match lane {
        Lane::State => {
            let mut written = written.state.clone();
            written.changed_at = stored.state.changed_at;
            stored.state == written
        }
        Lane::Override => stored.override_ == written.override_,
        Lane::Settings => stored.settings == written.settings,
    }
}

/// A record that is the same but for its age.
pub(super) fn ageless(mut record: CircuitRecord) -> CircuitRecord {
    record.age = Duration::ZERO;
    record
}

/// A lease with the largest figures there are.
pub(super) fn lease() -> Lease {
    Lease {
        token: LARGEST,
        owner: RunId::random(),
        term: Duration::from_micros(LARGEST),
        renewals: u32::MAX,
        budget: u32::MAX,
    }
}

/// An event of a run, with every field filled.
pub(super) fn event(
    service: &ServiceName,
    run: RunId,
    sequence: u64,
    at: Timestamp,
) -> EventRecord {
    let id = EventId { run, sequence };
    let mut event = EventRecord::new(id, service.clone(), at, EventKind::StateChange);
    event.from = Some(State::Closed);
    event.to = Some(State::HalfOpen);
    event.version = Some(Version::new(1, LARGEST));
    event.reason = Some("failure_rate".to_owned());
    event.error_type = Some("timeout".to_owned());
    event.error_message = Some("'\"; 決済 🦀 \\ %".to_owned());
    event.elapsed = Some(Duration::from_micros(1_234_567));
    event.admitted = Some(LARGEST);
    event.generation = Some(LARGEST);
    event.weight = u32::MAX;
    event.trace_id = TraceId::new(u128::MAX - 1);
    event.data.insert("figures".to_owned(), json!({ "rate": 0.5, "of": [1, null, "a"] }));
    event
}
