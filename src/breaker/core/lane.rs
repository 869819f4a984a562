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

    pub(super) fn count(&self) -> usize {
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
            if rest != u64::MAX {
                rest -= share;
            }
        }
    }
}
