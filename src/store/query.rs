//! How the history is asked.

use super::{event::EventKind, ids::Timestamp, metrics::Resolution};
use crate::name::ServiceName;

/// From when, inclusive, until when, exclusive; until [`Timestamp::MAX`] has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first point that belongs to it.
    pub from: Timestamp,
    /// The first point after it.
    pub until: Timestamp,
}

impl TimeRange {
    /// All times.
    pub const ALL: Self = Self { from: Timestamp::EPOCH, until: Timestamp::MAX };

    /// Whether a point belongs to it.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && (at < self.until || self.until == Timestamp::MAX)
    }
}

/// Which page of an answer. Opaque: only what the same query returned is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageToken(pub i64, pub i64);

/// A part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// What was found, in the order of the query.
    pub items: Vec<T>,
    /// Asks for the next page; none on the last one, also where that one is full.
    pub next: Option<PageToken>,
}

/// How many rows a page has at most, whatever a query asks for.
pub const MAX_PAGE: u32 = 10_000;

/// Asks for events, in the order of their time, those of one time in any order that stays the same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventQuery {
    /// Of which service; none for all.
    pub service: Option<ServiceName>,
    /// Of which kinds; empty for all.
    pub kinds: Vec<EventKind>,
    /// Of which time.
    pub range: TimeRange,
    /// Whether the newest come first.
    pub newest_first: bool,
    /// Which page; none for the first.
    pub page: Option<PageToken>,
    /// How many, 1 to [`MAX_PAGE`]; more is taken as that, zero as one.
    pub limit: u32,
}

impl EventQuery {
    /// All events of a service, the oldest first, 1,000 a page.
    #[must_use]
    pub fn of(service: ServiceName) -> Self {
        Self { service: Some(service), ..Self::all() }
    }

    /// All events of all services, the oldest first, 1,000 a page.
    #[must_use]
    pub fn all() -> Self {
        Self {
            service: None,
            kinds: Vec::new(),
            range: TimeRange::ALL,
            newest_first: false,
            page: None,
            limit: 1000,
        }
    }
}

/// Asks for metric buckets, in the order of their start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MetricQuery {
    /// Of which service; none for all.
    pub service: Option<ServiceName>,
    /// Of which resolution.
    pub resolution: Resolution,
    /// Those that begin in this time.
    pub range: TimeRange,
    /// Which page; none for the first.
    pub page: Option<PageToken>,
    /// How many, 1 to [`MAX_PAGE`]; more is taken as that, zero as one.
    pub limit: u32,
}

impl MetricQuery {
    /// All buckets of a resolution, 1,000 a page.
    #[must_use]
    pub fn new(resolution: Resolution) -> Self {
        Self { service: None, resolution, range: TimeRange::ALL, page: None, limit: 1000 }
    }
}

/// Asks for patterns, those that were seen last first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PatternQuery {
    /// Of which service; none for all.
    pub service: Option<ServiceName>,
    /// Those that were last seen in this time.
    pub range: TimeRange,
    /// How many, 1 to [`MAX_PAGE`]; more is taken as that, zero as one.
    pub limit: u32,
}

impl Default for PatternQuery {
    fn default() -> Self {
        Self { service: None, range: TimeRange::ALL, limit: 100 }
    }
}

/// Asks for alerts, those that were raised last first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AlertQuery {
    /// Of which service; none for all.
    pub service: Option<ServiceName>,
    /// Leaves out those that somebody took note of.
    pub unacknowledged: bool,
    /// Leaves out those that have ended.
    pub unresolved: bool,
    /// Those that were last raised in this time.
    pub range: TimeRange,
    /// How many, 1 to [`MAX_PAGE`]; more is taken as that, zero as one.
    pub limit: u32,
}

impl Default for AlertQuery {
    fn default() -> Self {
        Self {
            service: None,
            unacknowledged: false,
            unresolved: false,
            range: TimeRange::ALL,
            limit: 100,
        }
    }
}

/// What [`HistoryStore::prune`](super::HistoryStore::prune) is to delete, by which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prune {
    /// Events that happened so long ago.
    Events,
    /// Metric buckets of a resolution that began so long ago.
    Metrics(Resolution),
    /// Patterns that were last seen so long ago.
    Patterns,
    /// Alerts that ended so long ago, and silences that did.
    Alerts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_its_first_point_and_not_its_last_unless_it_has_no_end() {
        let at = |micros| Timestamp::from_micros(micros).unwrap_or_default();
        let range = TimeRange { from: at(2), until: at(4) };
        let inside: Vec<i64> = (0..6).filter(|&micros| range.contains(at(micros))).collect();
        assert_eq!(inside, [2, 3]);
        assert!(TimeRange::ALL.contains(Timestamp::EPOCH));
        assert!(TimeRange::ALL.contains(Timestamp::MAX));
    }
}
