//! Rows in the order of their time.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    ops::Bound,
};

use crate::{
    name::ServiceName,
    store::{
        EventId, EventRecord, MAX_PAGE, MetricBucket, Page, PageToken, RunId, TimeRange, Timestamp,
    },
};

/// What a timeline can hold.
pub(super) trait Row: Clone {
    type Key: Hash + Eq;

    fn key(&self) -> Self::Key;
    fn at(&self) -> Timestamp;
}

impl Row for EventRecord {
    type Key = EventId;

    fn key(&self) -> EventId {
        self.id
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl Row for MetricBucket {
    type Key = (ServiceName, RunId, Timestamp);

    fn key(&self) -> Self::Key {
        (self.service.clone(), self.run, self.start)
    }

    fn at(&self) -> Timestamp {
        self.start
    }
}

/// A time, and a number that tells apart what has the same time.
type Place = (Timestamp, i64);

/// Rows in the order of their time, each once by its key.
#[derive(Debug)]
pub(super) struct Timeline<R: Row> {
    rows: BTreeMap<Place, R>,
    places: HashMap<R::Key, Place>,
    added: i64,
}

/// What of a timeline is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) range: TimeRange,
    pub(super) newest_first: bool,
    pub(super) page: Option<PageToken>,
    pub(super) limit: u32,
}

impl<R: Row> Default for Timeline<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), places: HashMap::new(), added: 0 }
    }
}

impl<R: Row> Timeline<R> {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds a row. Returns whether its key is new.
    pub(super) fn insert(&mut self, row: &R) -> bool {
        let key = row.key();
        if self.places.contains_key(&key) {
            return false;
        }
        self.added += 1;
        let place = (row.at(), self.added);
        self.places.insert(key, place);
        self.rows.insert(place, row.clone());
        true
    }

    /// Adds a row in place of the one with its key.
    pub(super) fn put(&mut self, row: &R) {
        if let Some(place) = self.places.remove(&row.key()) {
            self.rows.remove(&place);
        }
        self.insert(row);
    }

    /// The rows of a window that pass the filter.
    pub(super) fn page(&self, window: Window, filter: impl Fn(&R) -> bool) -> Page<R> {
        let limit = window.limit.clamp(1, MAX_PAGE) as usize;
        let token = window
            .page
            .map(|PageToken(at, number)| (Timestamp::from_micros(at).unwrap_or_default(), number));
        let wanted = |(place, row): &(&Place, &R)| window.range.contains(place.0) && filter(row);
        let mut found: Vec<(&Place, &R)> = if window.newest_first {
            let end = token.map_or(Bound::Unbounded, Bound::Excluded);
            let rows = self.rows.range((Bound::Unbounded, end)).rev();
            let rows = rows.take_while(|(place, _)| place.0 >= window.range.from);
            rows.filter(wanted).take(limit + 1).collect()
        } else {
            let start = Bound::Included((window.range.from, i64::MIN));
            let start = token.map_or(start, Bound::Excluded);
            let rows = self.rows.range((start, Bound::Unbounded));
            let rows = rows.take_while(|(place, _)| place.0 <= window.range.until);
            rows.filter(wanted).take(limit + 1).collect()
        };
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found
            .last()
            .filter(|_| more)
            .map(|((at, number), _)| PageToken(at.as_micros(), *number));
        Page { items: found.into_iter().map(|(_, row)| row.clone()).collect(), next }
    }

    /// Removes up to `at_most` rows from before a time, the oldest first. Returns how many.
    pub(super) fn prune(&mut self, before: Timestamp, at_most: usize) -> u64 {
        let mut removed = 0;
        while removed < at_most && self.oldest().is_some_and(|oldest| oldest < before) {
            self.remove_oldest();
            removed += 1;
        }
        removed as u64
    }

    /// Removes the oldest rows above a number of rows. Returns how many.
    pub(super) fn trim(&mut self, max: usize) -> u64 {
        let above = self.len().saturating_sub(max);
        for _ in 0..above {
            self.remove_oldest();
        }
        above as u64
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.rows.first_key_value().map(|(place, _)| place.0)
    }

    fn remove_oldest(&mut self) {
        if let Some((_, row)) = self.rows.pop_first() {
            self.places.remove(&row.key());
        }
    }
}
