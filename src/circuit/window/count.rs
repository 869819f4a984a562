//! The last N calls, two bits each.

use super::Counts;

/// A ring of the last N results. Bits of places that were never filled are zero.
#[derive(Clone, Debug)]
pub(in crate::circuit) struct CountWindow {
    failed: Bits,
    slow: Bits,
    capacity: usize,
    /// The place of the next call, which is the oldest one's once the ring is full.
    next: usize,
    totals: Counts,
}

impl CountWindow {
    pub(super) fn new(calls: u32) -> Self {
        let capacity = calls as usize;
        Self {
            failed: Bits::new(capacity),
            slow: Bits::new(capacity),
            capacity,
            next: 0,
            totals: Counts::default(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.totals
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity as u64
    }

    pub(super) fn record(&mut self, failed: bool, slow: bool) {
        let place = self.next;
        let left_failed = self.failed.replace(place, failed);
        let left_slow = self.slow.replace(place, slow);
        self.totals.failures = self.totals.failures + u64::from(failed) - u64::from(left_failed);
        self.totals.slow_calls = self.totals.slow_calls + u64::from(slow) - u64::from(left_slow);
        self.grow(1);
    }

    pub(super) fn record_successes(&mut self, successes: u64) {
        if successes >= self.capacity() {
            self.clear();
            self.totals.calls = self.capacity();
            return;
        }
        let successes = successes as usize;
        if self.totals.failures > 0 || self.totals.slow_calls > 0 {
            let until_wrap = successes.min(self.capacity - self.next);
            self.forget(self.next, until_wrap);
            self.forget(0, successes - until_wrap);
        }
        self.grow(successes);
    }

    /// Clears `places` places from `from` on and takes them off the totals.
    fn forget(&mut self, from: usize, places: usize) {
        self.totals.failures -= self.failed.clear_range(from, places);
        self.totals.slow_calls -= self.slow.clear_range(from, places);
    }

    fn grow(&mut self, calls: usize) {
        self.next = (self.next + calls) % self.capacity;
        self.totals.calls = (self.totals.calls + calls as u64).min(self.capacity());
    }

    pub(super) fn clear(&mut self) {
        self.failed.clear();
        self.slow.clear();
        self.next = 0;
        self.totals = Counts::default();
    }

    /// A window of that size with the newest calls of this one.
    pub(super) fn resized(&self, calls: u32) -> Self {
        if calls as usize == self.capacity {
            return self.clone();
        }
        let mut next = Self::new(calls);
        let held = self.totals.calls as usize;
        let kept = held.min(next.capacity);
        let oldest_kept = self.next + self.capacity - kept;
        for place in oldest_kept..oldest_kept + kept {
            let place = place % self.capacity;
            next.record(self.failed.get(place), self.slow.get(place));
        }
        next
    }

    /// Books totals whose order is not known, the failed and slow ones as the newest.
    pub(super) fn book(&mut self, counts: Counts) {
        let marked = counts.failures.max(counts.slow_calls);
        self.record_successes(counts.calls - marked);
        let marked = marked.min(self.capacity());
        for call in 0..marked {
            self.record(call < counts.failures, call < counts.slow_calls);
        }
    }
}

/// A fixed row of bits.
#[derive(Clone, Debug)]
struct Bits(Box<[u64]>);

impl Bits {
    fn new(bits: usize) -> Self {
        Self(vec![0; bits.div_ceil(64)].into_boxed_slice())
    }

    fn get(&self, place: usize) -> bool {
        self.0[place / 64] >> (place % 64) & 1 == 1
    }

    /// Sets a bit and returns what it was.
    fn replace(&mut self, place: usize, bit: bool) -> bool {
        let was = self.get(place);
        let word = &mut self.0[place / 64];
        *word = *word & !(1 << (place % 64)) | u64::from(bit) << (place % 64);
        was
    }

    /// Clears `places` bits from `from` on and returns how many were set.
    fn clear_range(&mut self, from: usize, places: usize) -> u64 {
        let mut cleared = 0;
        let mut place = from;
        let end = from + places;
        while place < end {
            let bits = (64 - place % 64).min(end - place);
            let mask = (u64::MAX >> (64 - bits)) << (place % 64);
            let word = &mut self.0[place / 64];
            cleared += u64::from((*word & mask).count_ones());
            *word &= !mask;
            place += bits;
        }
        cleared
    }

    fn clear(&mut self) {
        self.0.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// The window as anybody would write it.
    #[derive(Default)]
    struct Plain {
        capacity: usize,
        calls: VecDeque<(bool, bool)>,
    }

    impl Plain {
        fn record(&mut self, failed: bool, slow: bool) {
            if self.calls.len() == self.capacity {
                self.calls.pop_front();
            }
            self.calls.push_back((failed, slow));
        }

        fn counts(&self) -> Counts {
            let mut counts = Counts::default();
            for &(failed, slow) in &self.calls {
                counts.add(failed, slow);
            }
            counts
        }
    }

    #[test]
    fn equals_a_plain_queue_over_all_small_sizes() {
        for capacity in [1, 2, 3, 63, 64, 65, 100, 128, 130] {
            let mut random = fastrand::Rng::with_seed(capacity as u64);
            let mut window = CountWindow::new(capacity as u32);
            let mut plain = Plain { capacity, ..Plain::default() };
            for _ in 0..600 {
                if random.u8(..4) == 0 {
                    let successes = random.u64(..capacity as u64 + 3);
                    window.record_successes(successes);
                    (0..successes).for_each(|_| plain.record(false, false));
                } else {
                    let (failed, slow) = (random.bool(), random.bool());
                    window.record(failed, slow);
                    plain.record(failed, slow);
                }
                assert_eq!(window.counts(), plain.counts(), "capacity {capacity}");
            }
        }
    }

    #[test]
    fn the_newest_calls_survive_a_new_size() {
        for (from, to) in [(10, 4), (4, 10), (70, 65), (65, 65), (3, 130)] {
            let mut random = fastrand::Rng::with_seed(from as u64 * 1_000 + to as u64);
            let mut window = CountWindow::new(from);
            let mut plain = Plain { capacity: from as usize, ..Plain::default() };
            for _ in 0..random.usize(1..200) {
                let (failed, slow) = (random.bool(), random.bool());
                window.record(failed, slow);
                plain.record(failed, slow);
            }
            window = window.resized(to);
            plain.capacity = to as usize;
            while plain.calls.len() > plain.capacity {
                plain.calls.pop_front();
            }
            for _ in 0..300 {
                assert_eq!(window.counts(), plain.counts(), "from {from} to {to}");
                let (failed, slow) = (random.bool(), random.bool());
                window.record(failed, slow);
                plain.record(failed, slow);
            }
        }
    }

    #[test]
    fn booked_totals_are_kept_up_to_the_capacity() {
        let counts = Counts { calls: 7, failures: 2, slow_calls: 4 };
        let mut window = CountWindow::new(10);
        window.book(counts);
        assert_eq!(window.counts(), counts);

        let mut small = CountWindow::new(3);
        small.book(counts);
        assert_eq!(small.counts(), Counts { calls: 3, failures: 2, slow_calls: 3 });
    }

    #[test]
    fn a_million_calls_take_a_quarter_of_a_megabyte() {
        let window = CountWindow::new(1_000_000);
        assert_eq!(window.failed.0.len() * 8 + window.slow.0.len() * 8, 250_000);
    }
}
