//! A breaker whose calls are counted into buckets.

use std::time::Duration;

use super::{due::Due, reading::Reading};
use crate::{
    breaker::{Breaker, WeakBreaker},
    circuit::State,
    name::ServiceName,
    store::{CallCounts, LatencySketch, MetricBucket, Resolution, RunId, Timestamp},
};

/// After how long the figures of a minute or an hour that has not ended are written.
const MINUTE_SO_FAR: Duration = Duration::from_secs(10);
const HOUR_SO_FAR: Duration = Duration::from_secs(60);

/// A breaker, what it had counted when it was last read, and the buckets that have not ended.
#[derive(Debug)]
pub(super) struct Watched {
    breaker: WeakBreaker,
    is_there: bool,
    service: ServiceName,
    run: RunId,
    last: Reading,
    /// When it was last read.
    read_at: Timestamp,
    downtime: Downtime,
    /// The second, minute and hour that it was last read in.
    running: [Running; 3],
    /// Rejections that no event tells of yet.
    untold_rejections: u64,
}

/// A bucket that calls still come to.
#[derive(Debug)]
struct Running {
    bucket: MetricBucket,
    /// Since when it holds figures that are not due for writing.
    changed_at: Option<Timestamp>,
}

impl Watched {
    pub(super) fn new(breaker: &Breaker, run: RunId, now: Timestamp) -> Self {
        breaker.keep_latencies();
        let service = breaker.service().clone();
        let running = Resolution::ALL.map(|resolution| Running {
            bucket: MetricBucket::new(service.clone(), run, resolution, now),
            changed_at: None,
        });
        let mut downtime = Downtime::default();
        downtime.note(breaker.glance(), now);
        Self {
            breaker: breaker.downgrade(),
            is_there: true,
            service,
            run,
            // What was counted before it was watched belongs to no time.
            last: Reading::of(&breaker.snapshot()),
            read_at: now,
            downtime,
            running,
            untold_rejections: 0,
        }
    }

    pub(super) fn is_of(&self, breaker: &Breaker) -> bool {
        self.breaker.upgrade().is_some_and(|watched| watched.is_same(breaker))
    }

    /// Goes on with another breaker of the name, whose calls come to the same buckets.
    pub(super) fn replace(&mut self, breaker: &Breaker, now: Timestamp, due: &mut Due) {
        self.read(now, due);
        let next = Self::new(breaker, self.run, now);
        *self = Self {
            running: std::mem::replace(&mut self.running, next.running),
            untold_rejections: self.untold_rejections,
            ..next
        };
    }

    /// Whether the breaker is there, or its name may come again before a bucket of it has ended.
    pub(super) fn is_of_use(&self, now: Timestamp) -> bool {
        let has_ended = |running: &Running| {
            let MetricBucket { resolution, start, .. } = running.bucket;
            resolution.start_of(now) != start
        };
        self.is_there || !self.running.iter().all(has_ended)
    }

    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    /// Notes a state change that was told.
    pub(super) fn note_state(&mut self, state: State, at: Timestamp) {
        self.downtime.note(state, at);
    }

    /// Reads the breaker: what it counted since it was last read belongs to the stretch in which it
    /// was last read.
    pub(super) fn read(&mut self, now: Timestamp, due: &mut Due) {
        if !self.is_there {
            return;
        }
        let breaker = self.breaker.upgrade();
        self.is_there = breaker.is_some();
        let mut counts = CallCounts::default();
        let mut latencies = LatencySketch::default();
        if let Some(breaker) = &breaker {
            if self.last.may_differ(breaker) {
                let reading = Reading::of(&breaker.snapshot());
                counts = reading.since(&self.last);
                self.last = reading;
                for (longest, count) in breaker.drain_latencies().buckets() {
                    latencies.record(longest, count);
                }
            }
            self.downtime.note(breaker.glance(), now);
        }
        counts.unavailable = self.downtime.take(now);
        self.untold_rejections = self.untold_rejections.saturating_add(counts.rejected);
        let at = std::mem::replace(&mut self.read_at, now);
        let is_new = counts != CallCounts::default() || !latencies.is_empty();
        for running in &mut self.running {
            running.begin(at, due);
            if is_new {
                running.add(&counts, &latencies, at);
            }
            if self.is_there { running.end(now, due) } else { running.write(due) }
        }
    }

    /// Makes all figures due that are not, also of stretches that have not ended.
    pub(super) fn write(&mut self, due: &mut Due) {
        for running in &mut self.running {
            running.write(due);
        }
    }

    /// The rejections that no event tells of yet, for one to tell of them.
    pub(super) fn take_rejections(&mut self) -> Option<(&ServiceName, u64)> {
        let count = std::mem::take(&mut self.untold_rejections);
        (count > 0).then_some((&self.service, count))
    }
}

impl Running {
    /// Goes over to the stretch that `at` falls into.
    fn begin(&mut self, at: Timestamp, due: &mut Due) {
        let MetricBucket { resolution, start, run, .. } = self.bucket;
        if resolution.start_of(at) != start {
            self.write(due);
            let service = self.bucket.service.clone();
            self.bucket = MetricBucket::new(service, run, resolution, at);
        }
    }

    fn add(&mut self, counts: &CallCounts, latencies: &LatencySketch, at: Timestamp) {
        self.bucket.counts.add(counts);
        self.bucket.latencies.merge(latencies);
        self.changed_at.get_or_insert(at);
    }

    /// Makes the figures due if the stretch is over, or if they have waited for long.
    fn end(&mut self, now: Timestamp, due: &mut Due) {
        let MetricBucket { resolution, start, .. } = self.bucket;
        let longest = match resolution {
            Resolution::Second => Resolution::Second.length(),
            Resolution::Minute => MINUTE_SO_FAR,
            Resolution::Hour => HOUR_SO_FAR,
        };
        let waited = self.changed_at.is_some_and(|changed_at| now.since(changed_at) >= longest);
        if waited || resolution.start_of(now) != start {
            self.write(due);
        }
    }

    fn write(&mut self, due: &mut Due) {
        if self.changed_at.take().is_some() {
            due.put(self.bucket.clone());
        }
    }
}

/// For how long a circuit let no ordinary call through.
#[derive(Debug, Default)]
struct Downtime {
    since: Option<Timestamp>,
    until_now: Duration,
}

impl Downtime {
    fn note(&mut self, state: State, at: Timestamp) {
        let is_down = matches!(state, State::Open | State::HalfOpen | State::ForcedOpen);
        match self.since {
            None if is_down => self.since = Some(at),
            Some(since) if !is_down => {
                self.until_now += at.since(since);
                self.since = None;
            }
            _ => {}
        }
    }

    fn take(&mut self, now: Timestamp) -> Duration {
        if let Some(since) = &mut self.since {
            self.until_now += now.since(*since);
            *since = now.max(*since);
        }
        std::mem::take(&mut self.until_now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downtime_is_from_change_to_change_and_shared_out_among_readings() {
        let at = |millis: i64| Timestamp::from_micros(millis * 1000).unwrap();
        let ms = Duration::from_millis;
        let mut downtime = Downtime::default();
        assert_eq!(downtime.take(at(1_000)), Duration::ZERO);
        downtime.note(State::Open, at(1_200));
        downtime.note(State::HalfOpen, at(1_300));
        assert_eq!(downtime.take(at(2_000)), ms(800));
        downtime.note(State::Closed, at(2_100));
        downtime.note(State::ForcedOpen, at(2_500));
        downtime.note(State::MetricsOnly, at(2_600));
        assert_eq!(downtime.take(at(3_000)), ms(200));
        assert_eq!(downtime.take(at(4_000)), Duration::ZERO);
        // A clock that goes back makes no negative time, and none twice.
        downtime.note(State::Open, at(4_500));
        assert_eq!(downtime.take(at(4_000)), Duration::ZERO);
        assert_eq!(downtime.take(at(5_000)), ms(500));
    }
}
