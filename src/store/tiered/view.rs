//! Between records and what the rule looks at.

use serde::Serialize;
use serde_json::{Value, json};

use super::rule::{Held, Seen, Tier};
use crate::{
    circuit::Version,
    name::ServiceName,
    store::{ChangeId, CircuitRecord, EventRecord, Extra, Lane, Stored},
};

/// What a record has for the tiers themselves begins like this, and is shown to nobody.
const PRIVATE: &str = "tower_breaker.tiered.";
/// The most bytes of an event that waits in a record.
const MAX_EVENT: usize = 6 * 1024;

fn key(what: &str, lane: Lane) -> String {
    format!("{PRIVATE}{what}.{}", lane.as_str())
}

/// What the rule sees of what a tier has.
pub(super) fn held(stored: Option<&Stored>) -> Held {
    match stored {
        None => Held::Missing,
        Some(Stored::Tombstone(tombstone)) => {
            Held::Tombstone(Lane::ALL.map(|lane| tombstone.versions.of(lane)))
        }
        Some(Stored::Record(record)) => Held::Record(Lane::ALL.map(|lane| Seen {
            version: record.version(lane),
            change: record.change_id(lane),
            root: change(record, "root", lane),
            before: change(record, "before", lane),
            alone: record.extra.get(&key("alone", lane)).and_then(Value::as_bool) == Some(true),
        })),
    }
}

fn change(record: &CircuitRecord, what: &str, lane: Lane) -> ChangeId {
    let value = record.extra.get(&key(what, lane));
    value.and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
}

fn version(value: &Value) -> Version {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

/// A record as it is shown.
pub(super) fn shown(mut stored: Stored) -> Stored {
    if let Stored::Record(record) = &mut stored {
        record.extra.retain(|key, _| !key.starts_with(PRIVATE));
    }
    stored
}

/// Whether a cache that was being filled has not got all of it yet.
pub(super) fn is_partial(stored: &Stored) -> bool {
    let Stored::Record(record) = stored else { return false };
    Lane::ALL.into_iter().any(|lane| {
        let stands_for = record.extra.get(&key("stands_for", lane)).map(version);
        stands_for.is_some_and(|version| record.version(lane) < version)
    })
}

/// The record that writes a lane.
pub(super) struct Written<'a> {
    pub(super) lane: Lane,
    pub(super) seen: Seen,
    /// Where the lane comes from: an empty one where there is no record.
    pub(super) source: Option<&'a CircuitRecord>,
    /// The event of the change, where it has to wait in the record.
    pub(super) event: Option<&'a EventRecord>,
    /// All that a tier is filled with, of which this is the first lane.
    pub(super) fills: Option<&'a Held>,
}

impl Written<'_> {
    pub(super) fn record(&self, service: &ServiceName) -> CircuitRecord {
        let mut record = CircuitRecord::new(service.clone());
        if let Some(source) = self.source {
            record.take_lane(self.lane, source);
            record.extra.retain(|key, _| !key.starts_with(PRIVATE));
        }
        match self.lane {
            Lane::State => {
                record.state.version = self.seen.version;
                record.state.change_id = self.seen.change;
            }
            Lane::Override => {
                record.override_.version = self.seen.version;
                record.override_.change_id = self.seen.change;
            }
            Lane::Settings => {
                record.settings.version = self.seen.version;
                record.settings.change_id = self.seen.change;
            }
        }
        record.extra.insert(key("root", self.lane), json!(self.seen.root));
        record.extra.insert(key("before", self.lane), json!(self.seen.before));
        record.extra.insert(key("alone", self.lane), json!(self.seen.alone));
        if let Some(event) = self.event {
            put_event(&mut record.extra, self.lane, self.seen.change, event);
        }
        if let Some(fills) = self.fills {
            for lane in Lane::ALL.into_iter().filter(|lane| *lane != self.lane) {
                let version = fills.seen(lane).version;
                if version > Version::default() {
                    record.extra.insert(key("stands_for", lane), json!(version));
                }
            }
        }
        record
    }
}

/// Has an event wait in a record, if it fits.
fn put_event(extra: &mut Extra, lane: Lane, change: ChangeId, event: &EventRecord) {
    let Ok(event) = serde_json::to_value(event) else { return };
    let value = json!({ "change": change, "event": event });
    if bytes(&value) + bytes(extra) <= MAX_EVENT {
        extra.insert(key("event", lane), value);
    }
}

/// How many bytes something has as JSON.
fn bytes<T: Serialize>(value: &T) -> usize {
    serde_json::to_string(value).map_or(usize::MAX / 2, |json| json.len())
}

/// The event that waits in a record, if it is that of the change which the lane has.
pub(super) fn event(stored: Option<&Stored>, lane: Lane) -> Option<EventRecord> {
    let Some(Stored::Record(record)) = stored else { return None };
    let waiting = record.extra.get(&key("event", lane))?;
    let change: ChangeId = serde_json::from_value(waiting.get("change")?.clone()).ok()?;
    let event = serde_json::from_value(waiting.get("event")?.clone()).ok()?;
    (change == record.change_id(lane)).then_some(event)
}

/// What two tiers have, as one: in each lane what has the higher version, or is on the durable one.
/// Returns also which tier the state comes from.
pub(super) fn merged(cache: Option<Stored>, durable: Option<Stored>) -> Option<(Stored, Tier)> {
    let (seen_cache, seen_durable) = (held(cache.as_ref()), held(durable.as_ref()));
    let above = |one: &Held, other: &Held| {
        Lane::ALL.into_iter().any(|lane| one.seen(lane).version > other.seen(lane).version)
    };
    match (cache, durable) {
        (None, None) => None,
        (Some(cache), None) => Some((cache, Tier::Cache)),
        (None, Some(durable)) => Some((durable, Tier::Durable)),
        (Some(Stored::Record(mut cache)), Some(Stored::Record(durable))) => {
            let mut from = Tier::Cache;
            for lane in Lane::ALL {
                let (up, down) = (seen_cache.seen(lane), seen_durable.seen(lane));
                if down.version > up.version
                    || (down.version == up.version && down.change != up.change)
                {
                    cache.take_lane(lane, &durable);
                    if lane == Lane::State {
                        from = Tier::Durable;
                    }
                }
            }
            Some((Stored::Record(cache), from))
        }
        (Some(cache @ Stored::Record(_)), Some(durable)) => {
            Some(if above(&seen_cache, &seen_durable) {
                (cache, Tier::Cache)
            } else {
                (durable, Tier::Durable)
            })
        }
        (Some(cache), Some(durable @ Stored::Record(_))) => {
            Some(if above(&seen_durable, &seen_cache) {
                (durable, Tier::Durable)
            } else {
                (cache, Tier::Cache)
            })
        }
        (Some(cache), Some(durable)) => Some(if above(&seen_durable, &seen_cache) {
            (durable, Tier::Durable)
        } else {
            (cache, Tier::Cache)
        }),
    }
}
