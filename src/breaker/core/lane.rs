//! Leases of successes, and the counters that every call touches.

use std::sync::Arc;

use super::gate::GateWord;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// The words that a call writes. Threads of their own lane share nothing that is written.
#[derive(Debug)]
pub(crate) struct Lane {
    /// The epoch of the lease in the upper half, what is left of it in the lower.
    word: AtomicU64,
    /// What was leased in this epoch. Written under the lock only.
    leased: AtomicU32,
    pub(super) index: u32,
    admitted: AtomicU64,
    rejected: AtomicU64,
}

/// A lease that is not counted down: successes change nothing at all.
const FREE: u32 = u32::MAX;
/// The most that is leased at once.
const MOST: u64 = 1 << 31;

impl Lane {
    pub(super) fn new(index: u32) -> Self {
        Self {
            word: AtomicU64::new(0),
            leased: AtomicU32::new(0),
            index,
            admitted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
        }
    }

    #[inline(always)]
    pub(super) fn count_admitted(&self) {
        self.admitted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn admitted(&self) -> u64 {
        self.admitted.load(Ordering::Relaxed)
    }

    pub(super) fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// Takes one success off the lease, if there is one that is good for `permit` at `now`.
    ///
    /// `now` is looked at only where the permit's gate is clocked.
    #[inline(always)]
    pub(super) fn take(
        &self,
        permit: GateWord,
        now: u64,
        gate: &AtomicU64,
        until: &AtomicU64,
    ) -> bool {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let left = word as u32;
            // The gate and the end were written before the lease that was just seen; if they
            // change, the lease is taken back first and the exchange below fails.
            if left == 0
                || (permit.is_clocked() && now >= until.load(Ordering::Relaxed))
                || gate.load(Ordering::Relaxed) != permit.bits()
            {
                return false;
            }
            if left == FREE {
                return true;
            }
            match self.word.compare_exchange_weak(
                word,
                word - 1,
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
    }

    /// Takes the lease back and returns how many successes were taken off it. Under the lock only.
    fn revoke(&self) -> u64 {
        let leased = self.leased.load(Ordering::Relaxed);
        if leased == 0 {
            return 0;
        }
        let epoch = (self.word.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        let word = self.word.swap(epoch << 32, Ordering::AcqRel);
        self.leased.store(0, Ordering::Relaxed);
        u64::from(leased - word as u32)
    }

    /// Leases `successes`. Under the lock, with no lease out, only.
    fn lease(&self, successes: u32) {
        self.leased.store(successes, Ordering::Relaxed);
        let epoch = self.word.load(Ordering::Relaxed) >> 32 << 32;
        self.word.store(epoch | u64::from(successes), Ordering::Release);
    }
}

/// A value on cache lines of its own; two of them, since processors fetch lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// The lanes of a circuit: one within the circuit, or several that handles point at.
#[derive(Debug)]
pub(crate) enum Lanes {
    One(Lane),
    Many(Box<[Arc<Padded<Lane>>]>),
}

impl Lanes {
    pub(crate) fn one() -> Self {
        Self::One(Lane::new(0))
    }

    pub(crate) fn many(lanes: usize) -> Self {
        Self::Many((0..lanes).map(|index| Arc::new(Padded(Lane::new(index as u32)))).collect())
    }

    pub(crate) fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(lanes) => lanes.len(),
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> &Lane {
        match self {
            Self::One(lane) => lane,
            Self::Many(lanes) => &lanes[index % lanes.len()].0,
        }
    }

    pub(super) fn sum(&self, value: impl Fn(&Lane) -> u64) -> u64 {
        (0..self.count()).map(|index| value(self.get(index))).sum()
    }

    /// Takes all leases back and returns how many successes were taken off them.
    pub(super) fn revoke(&self) -> u64 {
        self.sum(Lane::revoke)
    }

    /// Leases successes that need no counting.
    pub(super) fn lease_free(&self) {
        (0..self.count()).for_each(|index| self.get(index).lease(FREE));
    }

    /// Leases `successes`, half of what remains to each lane in turn, beginning with the lane that
    /// asks.
    pub(super) fn lease(&self, successes: u64, first: &Lane) {
        let mut rest = successes;
        let count = self.count();
        for step in 0..count {
            let half = if step + 1 == count { rest } else { rest.div_ceil(2) };
            let share = half.min(MOST);
            if share == 0 {
                return;
            }
            self.get(first.index as usize + step).lease(share as u32);
            rest -= share;
        }
    }
}

#[cfg(all(test, not(tower_breaker_loom)))]
mod tests {
    use super::*;
    use crate::circuit::Standing;

    fn gate(generation: u64) -> GateWord {
        GateWord::new(Standing::Closed, generation)
    }

    /// Takes successes off a lease until there is none left, up to 100.
    fn take(lane: &Lane, permit: GateWord) -> usize {
        let (word, never) = (AtomicU64::new(permit.bits()), AtomicU64::new(0));
        (0..100).take_while(|_| lane.take(permit, 5, &word, &never)).count()
    }

    #[test]
    fn a_lease_is_good_for_its_successes_and_tells_how_many_were_taken() {
        let lane = Lane::new(0);
        assert_eq!(take(&lane, gate(1)), 0);
        assert_eq!(lane.revoke(), 0);
        lane.lease(7);
        assert_eq!(take(&lane, gate(1)), 7);
        assert_eq!(lane.revoke(), 7);
        assert_eq!(lane.revoke(), 0, "they are told once");
        lane.lease(200);
        assert_eq!(take(&lane, gate(1)), 100);
        assert_eq!(lane.revoke(), 100);
        assert_eq!(take(&lane, gate(1)), 0, "it was taken back");
    }

    #[test]
    fn a_lease_that_is_free_is_not_counted_down() {
        for lanes in [Lanes::one(), Lanes::many(3)] {
            lanes.lease_free();
            for index in 0..lanes.count() {
                assert_eq!(take(lanes.get(index), gate(1)), 100);
            }
            assert_eq!(lanes.revoke(), 0);
            for index in 0..lanes.count() {
                assert_eq!(take(lanes.get(index), gate(1)), 0);
            }
        }
    }

    #[test]
    fn a_lease_is_good_for_permits_of_the_gate_only() {
        let (word, end) = (AtomicU64::new(gate(2).bits()), AtomicU64::new(10));
        let lane = Lane::new(0);
        lane.lease(5);
        assert!(!lane.take(gate(1), 0, &word, &end));
        assert!(lane.take(gate(2), 0, &word, &end));
        assert!(!lane.take(gate(2).timed(true), 0, &word, &end));
        assert_eq!(lane.revoke(), 1);
    }

    #[test]
    fn a_lease_ends_at_its_end_for_those_who_read_the_time() {
        let end = AtomicU64::new(10);
        let lane = Lane::new(0);
        lane.lease(5);
        for (clocked, now, good) in [(true, 9, true), (true, 10, false), (false, 10, true)] {
            let permit = gate(1).clocked(clocked);
            let word = AtomicU64::new(permit.bits());
            assert_eq!(lane.take(permit, now, &word, &end), good, "{clocked} {now}");
        }
    }

    // Else a call that was held up could take a success off a lease that it has not seen.
    #[test]
    fn the_word_of_a_lease_never_comes_back() {
        let lane = Lane::new(0);
        let mut words: Vec<u64> = Vec::new();
        for _ in 0..5 {
            lane.lease(3);
            words.push(lane.word.load(Ordering::Relaxed));
            assert_eq!(take(&lane, gate(1)), 3);
            assert_eq!(lane.revoke(), 3);
        }
        words.dedup();
        assert_eq!(words, [3, 1 << 32 | 3, 2 << 32 | 3, 3 << 32 | 3, 4 << 32 | 3]);
    }

    #[test]
    fn each_lane_in_turn_gets_half_of_what_remains_and_the_last_the_rest() {
        let most = MOST as u32;
        for (successes, first, leased) in [
            (0, 0, [0, 0, 0]),
            (1, 1, [0, 1, 0]),
            (10, 0, [5, 3, 2]),
            (10, 1, [2, 5, 3]),
            (11, 2, [3, 2, 6]),
            (u64::MAX, 0, [most; 3]),
            (5 << 31, 0, [most; 3]),
            (3 << 31, 0, [most, most, most]),
            (3 << 30, 0, [3 << 29, 3 << 28, 3 << 28]),
        ] {
            let lanes = Lanes::many(3);
            lanes.lease(successes, lanes.get(first));
            let found = [0, 1, 2].map(|index| lanes.get(index).leased.load(Ordering::Relaxed));
            assert_eq!(found, leased, "{successes} from {first}");
        }
        let lanes = Lanes::one();
        lanes.lease(9, lanes.get(0));
        assert_eq!(take(lanes.get(0), gate(1)), 9);
    }

    #[test]
    fn calls_are_counted_on_each_lane_and_summed() {
        let lanes = Lanes::many(2);
        assert_eq!(lanes.count(), 2);
        for index in 0..5 {
            lanes.get(index).count_admitted();
        }
        lanes.get(1).count_rejected();
        assert_eq!([0, 1].map(|index| lanes.get(index).admitted()), [3, 2]);
        assert_eq!((lanes.sum(Lane::admitted), lanes.sum(Lane::rejected)), (5, 1));
    }
}
