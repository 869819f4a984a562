//! The calls of the last while, in slices of a fixed length.

use std::time::Duration;

use crate::circuit::moment::{Moment, nanos};

use super::Counts;

/// A ring of slices. Slice `id` holds the calls that were booked in
/// `id * width .. (id + 1) * width`; the ring holds the newest slice and those before it.
#[derive(Clone, Debug)]
pub(in crate::circuit) struct TimeWindow {
    /// Nanoseconds, at least one.
    width: u64,
    slices: Box<[Counts]>,
    newest: u64,
    totals: Counts,
}

impl TimeWindow {
    pub(super) fn new(duration: Duration, slices: u32) -> Self {
        Self {
            width: (nanos(duration) / u64::from(slices)).max(1),
            slices: vec![Counts::default(); slices as usize].into_boxed_slice(),
            newest: 0,
            totals: Counts::default(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.totals
    }

    /// Moves the window so that `now` is in its newest slice. A `now` that is older than that
    /// slice, from another core's clock, moves nothing and is booked in the newest slice.
    pub(super) fn roll(&mut self, now: Moment) {
        let id = now.as_nanos() / self.width;
        if id <= self.newest {
            return;
        }
        let steps = (id - self.newest).min(self.slices.len() as u64);
        for step in 1..=steps {
            // The last `steps` ids up to `id`: those between are over as well.
            let place = self.place(id - steps + step);
            let left = std::mem::take(&mut self.slices[place]);
            self.totals.calls -= left.calls;
            self.totals.failures -= left.failures;
            self.totals.slow_calls -= left.slow_calls;
        }
        self.newest = id;
    }

    pub(super) fn record(&mut self, failed: bool, slow: bool) {
        let place = self.place(self.newest);
        self.slices[place].add(failed, slow);
        self.totals.add(failed, slow);
    }

    pub(super) fn record_successes(&mut self, successes: u64) {
        self.book(Counts { calls: successes, ..Counts::default() });
    }

    /// Books totals in the newest slice.
    pub(super) fn book(&mut self, counts: Counts) {
        let place = self.place(self.newest);
        for sum in [&mut self.slices[place], &mut self.totals] {
            sum.calls += counts.calls;
            sum.failures += counts.failures;
            sum.slow_calls += counts.slow_calls;
        }
    }

    /// When the newest slice ends, and calls may leave.
    pub(super) fn moves_at(&self) -> Moment {
        Moment::from_nanos(self.newest.saturating_add(1).saturating_mul(self.width))
    }

    pub(super) fn clear(&mut self) {
        self.slices.fill(Counts::default());
        self.totals = Counts::default();
    }

    /// A window of another shape with the calls of this one, each slice booked at its start.
    pub(super) fn resized(&self, duration: Duration, slices: u32, now: Moment) -> Self {
        let mut next = Self::new(duration, slices);
        if next.width == self.width && next.slices.len() == self.slices.len() {
            return self.clone();
        }
        let oldest = self.newest.saturating_sub(self.slices.len() as u64 - 1);
        for id in oldest..=self.newest {
            next.roll(Moment::from_nanos(id.saturating_mul(self.width)));
            next.book(self.slices[self.place(id)]);
        }
        next.roll(now);
        next
    }

    fn place(&self, id: u64) -> usize {
        (id % self.slices.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(seconds: u64) -> Moment {
        Moment::from_nanos(seconds * SECOND)
    }

    #[test]
    fn equals_a_list_of_all_calls() {
        for (duration, slices) in [(10, 10), (10, 1), (7, 3), (60, 6)] {
            let mut random = fastrand::Rng::with_seed(duration);
            let mut window = TimeWindow::new(Duration::from_secs(duration), slices);
            let width = duration * SECOND / u64::from(slices);
            let mut calls = Vec::new();
            let mut now = 0;
            for _ in 0..500 {
                now += match random.u8(..20) {
                    0 => random.u64(..3 * duration * SECOND),
                    1..=4 => random.u64(..width),
                    _ => random.u64(..width / 8),
                };
                window.roll(Moment::from_nanos(now));
                let (failed, slow) = (random.bool(), random.bool());
                window.record(failed, slow);
                calls.push((now, failed, slow));

                let mut plain = Counts::default();
                for &(then, failed, slow) in &calls {
                    if then / width + u64::from(slices) > now / width {
                        plain.add(failed, slow);
                    }
                }
                assert_eq!(window.counts(), plain);
            }
        }
    }

    #[test]
    fn a_call_as_old_as_the_window_is_out_and_a_slice_younger_is_in() {
        let mut window = TimeWindow::new(Duration::from_secs(10), 10);
        window.roll(at(3));
        window.record(true, false);
        window.roll(Moment::from_nanos(13 * SECOND - 1));
        assert_eq!(window.counts().failures, 1);
        window.roll(at(13));
        assert_eq!(window.counts(), Counts::default());
    }

    #[test]
    fn an_older_now_is_booked_in_the_newest_slice() {
        let mut window = TimeWindow::new(Duration::from_secs(10), 10);
        window.roll(at(20));
        window.roll(at(4));
        window.record(true, true);
        window.roll(at(29));
        assert_eq!(window.counts().failures, 1);
        window.roll(at(30));
        assert_eq!(window.counts().failures, 0);
    }

    #[test]
    fn a_new_shape_keeps_what_is_young_enough() {
        let mut window = TimeWindow::new(Duration::from_secs(10), 10);
        for second in 20..30 {
            window.roll(at(second));
            window.record(second % 2 == 0, second == 29);
        }
        let shorter = window.resized(Duration::from_secs(4), 4, at(29));
        assert_eq!(shorter.counts(), Counts { calls: 4, failures: 2, slow_calls: 1 });
        let longer = window.resized(Duration::from_secs(60), 6, at(29));
        assert_eq!(longer.counts(), window.counts());
        let mut coarser = window.resized(Duration::from_secs(20), 10, at(29));
        assert_eq!(coarser.counts(), window.counts());
        coarser.roll(at(38));
        assert_eq!(coarser.counts(), window.counts());
        coarser.roll(at(40));
        assert_eq!(coarser.counts().calls, 8);
        let same = window.resized(Duration::from_secs(10), 10, at(29));
        assert_eq!(same.counts(), window.counts());
        assert_eq!(same.moves_at(), window.moves_at());
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let mut window = TimeWindow::new(Duration::from_millis(1), 1);
        window.roll(Moment::MAX);
        window.record(false, false);
        assert_eq!(window.counts().calls, 1);
        assert_eq!(window.moves_at().as_nanos() / 1_000_000, u64::MAX / 1_000_000);
        window.roll(Moment::MAX);
        assert_eq!(window.counts().calls, 1);
    }

    #[test]
    fn the_window_moves_at_the_end_of_its_newest_slice() {
        let mut window = TimeWindow::new(Duration::from_secs(10), 10);
        window.roll(Moment::from_nanos(3 * SECOND + 5));
        assert_eq!(window.moves_at(), at(4));
        window.clear();
        assert_eq!(window.moves_at(), at(4));
    }
}
