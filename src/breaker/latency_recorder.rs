//! Records how long the calls of a named breaker take.

use histogram::{AtomicHistogram, Config};

use super::{Handle, Latencies, clock::ClockSource, core::GateWord};
use crate::circuit::{Outcome, OutcomeKind};

/// Each power of two has 16 buckets: a bound is at most 1/16 over what it stands for.
const GROUPING_POWER: u8 = 4;

/// About two hours of a clock that ticks five times a nanosecond, nine of one that counts them.
const MAX_VALUE_POWER: u8 = 45;

const MOST: u64 = (1 << MAX_VALUE_POWER) - 1;

/// 672 buckets, 5 KB a lane.
const CONFIG: Config = match Config::new(GROUPING_POWER, MAX_VALUE_POWER) {
    Ok(config) => config,
    Err(_) => panic!("the powers are those of a histogram"),
};

/// Counts the ticks that calls took, for each lane by itself, so that threads share no counter.
#[derive(Debug)]
pub(super) struct LatencyRecorder(Box<[AtomicHistogram]>);

impl LatencyRecorder {
    pub(super) fn new(lanes: usize) -> Self {
        Self((0..lanes).map(|_| AtomicHistogram::with_config(&CONFIG)).collect())
    }

    #[inline(always)]
    pub(super) fn record(&self, lane: usize, ticks: u64) {
        if let Some(histogram) = self.0.get(lane) {
            // What takes longer than the last bucket goes is in it: no value is out of range.
            let _ = histogram.increment(ticks.min(MOST));
        }
    }

    /// Takes what was recorded. A call that ends meanwhile is in this one or in the next.
    pub(super) fn drain(&self, clock: &ClockSource) -> Latencies {
        let drained = self.0.iter().map(AtomicHistogram::drain);
        let mut latencies = Latencies::default();
        for lane in drained {
            for bucket in lane.iter() {
                latencies.add(clock.duration(bucket.end()), bucket.count());
            }
        }
        latencies
    }
}

impl Handle {
    /// Ends a call whose gate is measured: as [`finish`](Self::finish) does, and records how long it
    /// took. Out of the way of the calls of which nobody wants to know.
    #[inline(never)]
    pub(super) fn finish_measured(&self, gate: GateWord, start: u64, outcome: Outcome) {
        let now = self.ticks();
        self.keep_latency(start, now, outcome);
        let plain = outcome.is_plain_success();
        if !(plain && self.circuit().succeed_at(self.lane(), gate, start, now)) {
            self.book(gate, start, outcome, &mut || None);
        }
    }

    #[inline(always)]
    pub(super) fn keep_latency(&self, start: u64, now: u64, outcome: Outcome) {
        if let Some((kept, lane)) = self.latencies()
            && let Some(recorder) = kept.get()
            && outcome.kind() != OutcomeKind::Ignored
        {
            recorder.record(lane, now.saturating_sub(start));
        }
    }

    pub(super) fn keep_latencies(&self) {
        if let Some((kept, _)) = self.latencies() {
            kept.get_or_init(|| LatencyRecorder::new(self.circuit().lanes().count()));
            self.followed_up(|on| self.circuit().measure(self.lane(), on));
        }
    }

    pub(super) fn drain_latencies(&self) -> Latencies {
        let recorder = self.latencies().and_then(|(kept, _)| kept.get());
        recorder.map(|recorder| recorder.drain(self.circuit().clock())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::breaker::clock::ManualClock;

    fn source() -> ClockSource {
        ClockSource::Custom(Arc::new(ManualClock::new()))
    }

    #[test]
    fn a_bound_is_no_less_than_what_it_stands_for_and_no_sixteenth_more() {
        let recorder = LatencyRecorder::new(1);
        let clock = source();
        let mut random = fastrand::Rng::with_seed(1);
        for bits in 0..u32::from(MAX_VALUE_POWER) {
            let took = random.u64(1 << bits..2 << bits);
            recorder.record(0, took);
            let drained = recorder.drain(&clock);
            let bound = drained.max().unwrap().as_nanos() as u64;
            assert!(bound >= took && bound - took <= took / 16, "{took} in {bound}");
            assert_eq!(drained.count(), 1);
        }
    }

    #[test]
    fn what_took_nothing_and_what_took_for_ever_are_in_the_first_bucket_and_in_the_last() {
        let recorder = LatencyRecorder::new(2);
        for ticks in [0, MOST, MOST + 1, u64::MAX] {
            recorder.record(1, ticks);
        }
        let drained = recorder.drain(&source());
        let buckets = [(Duration::ZERO, 1), (Duration::from_nanos(MOST), 3)];
        assert_eq!(drained, buckets.into_iter().collect());
        assert!(recorder.drain(&source()).is_empty());
    }

    #[test]
    fn ticks_are_drained_as_nanoseconds() {
        let clock = ClockSource::fast();
        let recorder = LatencyRecorder::new(1);
        recorder.record(0, clock.ticks_for(Duration::from_millis(20)));
        let bound = recorder.drain(&clock).max().unwrap();
        assert!((Duration::from_millis(20)..Duration::from_micros(21_251)).contains(&bound));
    }
}
