//! Patterns, alerts and silences in memory: few enough to be looked through one by one.

use std::cmp::Reverse;

use crate::store::{
    AlertQuery, AlertRecord, MAX_PAGE, PatternQuery, PatternRecord, Silence, Timestamp,
};

/// Patterns, alerts and silences.
#[derive(Debug)]
pub(super) struct Findings {
    patterns: Vec<PatternRecord>,
    /// In the order in which the incidents began.
    alerts: Vec<AlertRecord>,
    silences: Vec<Silence>,
    max: usize,
    pub(super) dropped: u64,
}

impl Findings {
    pub(super) fn new(max: usize) -> Self {
        let (patterns, alerts, silences) = (Vec::new(), Vec::new(), Vec::new());
        Self { patterns, alerts, silences, max, dropped: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.patterns.len() + self.alerts.len() + self.silences.len()
    }

    pub(super) fn upsert_pattern(&mut self, pattern: &PatternRecord) {
        self.patterns.retain(|known| known.key != pattern.key);
        self.patterns.push(pattern.clone());
        self.dropped += trim(&mut self.patterns, self.max, |pattern| pattern.last_seen);
    }

    pub(super) fn patterns(&self, query: &PatternQuery) -> Vec<PatternRecord> {
        let wanted = |pattern: &&PatternRecord| {
            query.service.as_ref().is_none_or(|service| *service == pattern.service)
                && query.range.contains(pattern.last_seen)
        };
        newest(self.patterns.iter().filter(wanted), query.limit, |pattern| pattern.last_seen)
    }

    pub(super) fn raise(&mut self, alert: &AlertRecord) -> AlertRecord {
        let raised = match self.unresolved(&alert.key) {
            Some(known) => {
                known.count = known.count.saturating_add(alert.count);
                known.last_at = known.last_at.max(alert.last_at);
                known.clone()
            }
            None => {
                self.alerts.push(alert.clone());
                alert.clone()
            }
        };
        self.dropped +=
            trim(&mut self.alerts, self.max, |alert| (alert.resolved_at.is_none(), alert.last_at));
        raised
    }

    pub(super) fn resolve(&mut self, key: &str, at: Timestamp) -> bool {
        let unresolved = self.unresolved(key);
        unresolved.map(|alert| alert.resolved_at = Some(at)).is_some()
    }

    pub(super) fn acknowledge(&mut self, key: &str, by: &str, at: Timestamp) -> bool {
        let of_key = self.alerts.iter_mut().filter(|alert| alert.key == key);
        let last = of_key.max_by_key(|alert| (alert.resolved_at.is_none(), alert.resolved_at));
        let noted = last.filter(|alert| alert.acknowledged_at.is_none()).map(|alert| {
            alert.acknowledged_at = Some(at);
            alert.acknowledged_by = Some(by.to_owned());
        });
        noted.is_some()
    }

    fn unresolved(&mut self, key: &str) -> Option<&mut AlertRecord> {
        self.alerts.iter_mut().find(|alert| alert.key == key && alert.resolved_at.is_none())
    }

    pub(super) fn alerts(&self, query: &AlertQuery) -> Vec<AlertRecord> {
        let wanted = |alert: &&AlertRecord| {
            query.service.as_ref().is_none_or(|service| Some(service) == alert.service.as_ref())
                && !(query.unacknowledged && alert.acknowledged_at.is_some())
                && !(query.unresolved && alert.resolved_at.is_some())
                && query.range.contains(alert.last_at)
        };
        newest(self.alerts.iter().filter(wanted), query.limit, |alert| alert.last_at)
    }

    pub(super) fn put_silence(&mut self, silence: &Silence) {
        self.silences.retain(|known| known.key != silence.key);
        if silence.until >= silence.from {
            self.silences.push(silence.clone());
            self.dropped += trim(&mut self.silences, self.max, |silence| silence.until);
        }
    }

    pub(super) fn silences(&self, now: Timestamp) -> Vec<Silence> {
        self.silences.iter().filter(|silence| silence.until > now).cloned().collect()
    }

    pub(super) fn prune_patterns(&mut self, before: Timestamp, at_most: usize) -> u64 {
        prune(&mut self.patterns, before, at_most, |pattern| Some(pattern.last_seen))
    }

    pub(super) fn prune_alerts(&mut self, before: Timestamp, at_most: usize) -> u64 {
        let alerts = prune(&mut self.alerts, before, at_most, |alert| alert.resolved_at);
        let left = at_most.saturating_sub(alerts as usize);
        alerts + prune(&mut self.silences, before, left, |silence| Some(silence.until))
    }
}

/// Up to `limit` rows, those with the latest time first.
fn newest<'a, R: Clone + 'a>(
    rows: impl Iterator<Item = &'a R>,
    limit: u32,
    at: impl Fn(&R) -> Timestamp,
) -> Vec<R> {
    let mut rows: Vec<&R> = rows.collect();
    rows.sort_by_key(|row| Reverse(at(row)));
    rows.truncate(limit.clamp(1, MAX_PAGE) as usize);
    rows.into_iter().cloned().collect()
}

/// Removes the rows with the least key above a number of rows. Returns how many.
fn trim<R, K: Ord>(rows: &mut Vec<R>, max: usize, key: impl Fn(&R) -> K) -> u64 {
    let mut removed = 0;
    while rows.len() > max {
        let least = rows.iter().enumerate().min_by_key(|(_, row)| key(row));
        let Some(at) = least.map(|(at, _)| at) else { break };
        rows.remove(at);
        removed += 1;
    }
    removed
}

/// Removes up to `at_most` rows whose time lies before a time, the oldest first. Returns how many.
fn prune<R>(
    rows: &mut Vec<R>,
    before: Timestamp,
    at_most: usize,
    at: impl Fn(&R) -> Option<Timestamp>,
) -> u64 {
    let mut removed = 0;
    while removed < at_most {
        let old = rows.iter().enumerate().filter_map(|(row, of)| Some((at(of)?, row)));
        let Some((_, row)) = old.filter(|(time, _)| *time < before).min() else { break };
        rows.remove(row);
        removed += 1;
    }
    removed as u64
}
