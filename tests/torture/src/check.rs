//! Whether a store has what was acknowledged, and nothing else, in one chain of versions.

use std::collections::HashMap;

use tower_breaker::{
    State,
    circuit::Version,
    store::{CircuitRecord, EventId, EventKind, EventRecord, Lane},
};

use crate::ledger::{Ledger, Place};

/// What was checked of each lane so far. It is told of new events and records, and says what is
/// wrong with them.
#[derive(Debug, Default)]
pub struct Chains {
    chains: HashMap<Place, Vec<Link>>,
}

/// One change of a lane.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Link {
    version: Version,
    id: EventId,
    to: Option<State>,
}

impl Chains {
    /// How many changes were checked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chains.values().map(Vec::len).sum()
    }

    /// Whether none were.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in what was found in the history, in any order, changes that are known already among
    /// it, and the records that were read after that. Returns what is wrong.
    pub fn check(
        &mut self,
        events: &[EventRecord],
        records: &[CircuitRecord],
        ledger: &mut Ledger,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for (place, events) in by_lane(events) {
            self.extend(&place, events, ledger, &mut wrong);
        }
        for record in records {
            self.compare(record, ledger, &mut wrong);
        }
        for attempt in ledger.acked.drain(..) {
            let place = (attempt.service.clone(), attempt.lane);
            let found = self.link(&place, attempt.version).map(|link| link.id);
            if found != attempt.event {
                wrong.push(format!("lost: {attempt:?} was committed, and its event is {found:?}"));
            }
        }
        for attempt in ledger.unsent.drain(..) {
            let place = (attempt.service.clone(), attempt.lane);
            let sent = self
                .chains
                .get(&place)
                .into_iter()
                .flatten()
                .any(|link| Some(link.id) == attempt.event);
            if sent {
                wrong.push(format!("invented: {attempt:?} was not sent, and is in the history"));
            }
        }
        wrong
    }

    fn extend(
        &mut self,
        place: &Place,
        mut events: Vec<&EventRecord>,
        ledger: &Ledger,
        wrong: &mut Vec<String>,
    ) {
        events.sort_by_key(|event| event.version);
        let what = format!("{}, {}", place.0, place.1.as_str());
        let chain = self.chains.entry(place.clone()).or_default();
        for event in events {
            let Some(version) = event.version else {
                wrong.push(format!("{what}: a change without a version: {event:?}"));
                continue;
            };
            let last = chain.last().map_or(Version::default(), |link| link.version);
            if version <= last {
                let known = chain.iter().rev().find(|link| link.version == version);
                if known.is_none_or(|link| link.id != event.id) {
                    wrong.push(format!(
                        "{what}: version {version} is there more than once, or late: {known:?} and \
                         {:?}",
                        event.id
                    ));
                }
                continue;
            }
            if version.epoch == last.epoch && version.counter != last.counter + 1 {
                wrong.push(format!("{what}: a gap between the versions {last} and {version}"));
            }
            if place.1 == Lane::State {
                let before = chain.last().map_or(Some(State::Closed), |link| link.to);
                if event.from != before {
                    wrong.push(format!(
                        "{what}: version {version} goes from {:?}, and the one before went to \
                         {before:?}",
                        event.from
                    ));
                }
            }
            let tries = ledger.tries(place, version);
            let tried = tries.iter().any(|attempt| {
                attempt.event == Some(event.id)
                    && attempt.from == event.from
                    && attempt.to == event.to
            });
            if !tried {
                wrong.push(format!("{what}: invented: nobody tried {event:?}, but {tries:?}"));
            }
            chain.push(Link { version, id: event.id, to: event.to });
        }
    }

    fn compare(&self, record: &CircuitRecord, ledger: &Ledger, wrong: &mut Vec<String>) {
        for lane in Lane::ALL {
            let place = (record.service.to_string(), lane);
            let version = record.version(lane);
            let what = format!("{}, {}", place.0, lane.as_str());
            let last = self.chains.get(&place).and_then(|chain| chain.last());
            let end = last.map_or(Version::default(), |link| link.version);
            if version != end {
                wrong.push(format!("{what}: the record is at {version}, its history at {end}"));
                continue;
            }
            let Some(last) = last else { continue };
            if lane == Lane::State && last.to != Some(record.state.state) {
                wrong.push(format!(
                    "{what}: the record is {}, its history ends with {:?}",
                    record.state.state, last.to
                ));
            }
            let change = record.change_id(lane);
            let tried = ledger
                .tries(&place, version)
                .iter()
                .any(|attempt| attempt.change == change && attempt.event == Some(last.id));
            if !tried {
                wrong.push(format!("{what}: invented: nobody tried change {change} at {version}"));
            }
        }
    }

    fn link(&self, place: &Place, version: Version) -> Option<&Link> {
        let chain = self.chains.get(place)?;
        let at = chain.binary_search_by_key(&version, |link| link.version).ok()?;
        chain.get(at)
    }
}

fn by_lane(events: &[EventRecord]) -> HashMap<Place, Vec<&EventRecord>> {
    let mut lanes: HashMap<Place, Vec<&EventRecord>> = HashMap::new();
    for event in events {
        let lane = match event.kind {
            EventKind::StateChange => Lane::State,
            EventKind::Override => Lane::Override,
            EventKind::SettingsChange => Lane::Settings,
            _ => continue,
        };
        lanes.entry((event.service.to_string(), lane)).or_default().push(event);
    }
    lanes
}

#[cfg(test)]
mod tests {
    use tower_breaker::{
        ServiceName,
        store::{ChangeId, RunId, Timestamp},
    };

    use super::*;
    use crate::line::{Attempt, Line, Point};

    /// A chain of three changes, all of them tried and acknowledged.
    struct Story {
        events: Vec<EventRecord>,
        record: CircuitRecord,
        ledger: Ledger,
    }

    const STATES: [State; 4] = [State::Closed, State::Open, State::HalfOpen, State::Closed];

    fn attempt(event: &EventRecord, change: u64) -> Attempt {
        Attempt {
            service: event.service.to_string(),
            lane: Lane::State,
            version: event.version.unwrap_or_default(),
            change: ChangeId::new(change).unwrap_or_default(),
            event: Some(event.id),
            from: event.from,
            to: event.to,
        }
    }

    fn story() -> Story {
        let service = ServiceName::new("a").unwrap();
        let run = RunId::new(7).unwrap();
        let mut ledger = Ledger::default();
        let mut events = Vec::new();
        for (at, pair) in (1..).zip(STATES.windows(2)) {
            let id = EventId { run, sequence: at };
            let kind = EventKind::StateChange;
            let mut event = EventRecord::new(id, service.clone(), Timestamp::EPOCH, kind);
            (event.from, event.to) = (Some(pair[0]), Some(pair[1]));
            event.version = Some(Version::new(0, at));
            let attempt = attempt(&event, at);
            ledger.note(&Line::Try(attempt.clone()));
            ledger.note(&Line::Ack(attempt));
            events.push(event);
        }
        let mut record = CircuitRecord::new(service);
        record.state.version = Version::new(0, 3);
        record.state.change_id = ChangeId::new(3).unwrap();
        Story { events, record, ledger }
    }

    fn wrong(plant: impl FnOnce(&mut Story)) -> String {
        let mut story = story();
        plant(&mut story);
        let Story { events, record, mut ledger } = story;
        Chains::default().check(&events, &[record], &mut ledger).join("; ")
    }

    #[test]
    fn a_chain_that_was_tried_is_right_whole_or_in_parts() {
        assert_eq!(wrong(|_| {}), "");
        let Story { events, record, mut ledger } = story();
        let mut chains = Chains::default();
        let acked = std::mem::take(&mut ledger.acked);
        assert_eq!(chains.check(&events[..2], &[], &mut ledger), [""; 0]);
        ledger.acked = acked;
        assert_eq!(chains.check(&events[1..], &[record], &mut ledger), [""; 0]);
        assert_eq!(chains.len(), 3);
    }

    #[test]
    fn what_is_wrong_is_said() {
        type Plant = fn(&mut Story);
        let planted: [(Plant, &str); 8] = [
            (|story| drop(story.events.remove(1)), "a gap between the versions 0.1 and 0.3"),
            (|story| story.events[1].from = Some(State::Closed), "goes from Some(Closed)"),
            (
                |story| {
                    let mut twice = story.events[1].clone();
                    twice.id.sequence = 9;
                    story.events.push(twice);
                },
                "more than once",
            ),
            (|story| story.events[2].id.sequence = 9, "invented: nobody tried EventRecord"),
            (|story| drop(story.events.pop()), "lost: Attempt"),
            (|story| story.record.state.version = Version::new(0, 2), "the record is at 0.2"),
            (|story| story.record.state.state = State::Open, "its history ends with Some(Closed)"),
            (
                |story| story.record.state.change_id = ChangeId::new(9).unwrap_or_default(),
                "nobody tried change",
            ),
        ];
        for (plant, said) in planted {
            let wrong = wrong(plant);
            assert!(wrong.contains(said), "`{said}` is not in `{wrong}`");
        }
        let unsent = wrong(|story| {
            let attempt = attempt(&story.events[2], 3);
            story.ledger.note(&Line::Hold { point: Point::Before, attempt });
        });
        assert!(unsent.contains("was not sent"), "{unsent}");
    }
}
