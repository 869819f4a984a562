//! Which calls in flight are already slow, at a constant cost a call.

use super::lane::Padded;
use crate::sync::{AtomicU64, Ordering};

/// Counts calls in flight by when they started, in slices of a quarter of the slow-call duration.
///
/// A call is slow once its whole slice is older than that duration: never too early, and late by a
/// quarter at most. A slice that is as old as the ring is long holds slow calls only and is folded
/// into one number. Each lane has a ring of its own.
///
/// A tag tells registrations apart that do not count any more: it changes with each generation and
/// with the duration, and a word with another tag is empty.
#[derive(Debug)]
pub(super) struct InFlight {
    /// The tag that counts. Zero never does, so that a permit can say "not registered".
    tag: AtomicU64,
    /// Ticks of a slice, at least one.
    width: AtomicU64,
    lanes: Box<[Padded<Ring>]>,
}

#[derive(Debug)]
struct Ring {
    slices: [AtomicU64; SLICES],
    /// Calls of slices that were folded. Wraps below zero for a moment, when a call ends between the
    /// two steps of folding.
    slow: AtomicU64,
}

const SLICES: usize = 8;
const SLICES_TO_SLOW: u64 = 4;
const COUNT_BITS: u32 = 24;
const ID_BITS: u32 = 16;
const TAG_SHIFT: u32 = COUNT_BITS + ID_BITS;
const TAGS: u64 = 1 << (64 - TAG_SHIFT);

/// A slice of calls: 24 bits of tag, 16 of the slice's number, 24 of count.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Slice(u64);

impl Slice {
    fn new(tag: u64, id: u64, count: u64) -> Self {
        Self(tag << TAG_SHIFT | (id & 0xffff) << COUNT_BITS | count)
    }

    fn tag(self) -> u64 {
        self.0 >> TAG_SHIFT
    }

    fn id(self) -> u16 {
        (self.0 >> COUNT_BITS) as u16
    }

    fn count(self) -> u64 {
        self.0 & ((1 << COUNT_BITS) - 1)
    }

    /// The whole number of the slice, which is not far from `near`.
    fn whole_id(self, near: u64) -> u64 {
        near.wrapping_sub(i64::from((near as u16).wrapping_sub(self.id()) as i16) as u64)
    }
}

impl InFlight {
    pub(super) fn new(lanes: usize, slow_after: u64) -> Self {
        let lanes = (0..lanes).map(|_| Padded(Ring::new())).collect();
        let width = AtomicU64::new(width(slow_after));
        Self { tag: AtomicU64::new(1), width, lanes }
    }

    /// Forgets all calls: a generation or a slow-call duration begins. Under the lock only.
    pub(super) fn restart(&self, slow_after: u64) {
        self.width.store(width(slow_after), Ordering::Relaxed);
        let next = (self.tag.load(Ordering::Relaxed) + 1) % TAGS;
        self.tag.store(next.max(1), Ordering::Release);
    }

    pub(super) fn tag(&self) -> u32 {
        self.tag.load(Ordering::Acquire) as u32
    }

    /// Begins to track a call that started at `start` under `tag`.
    pub(super) fn begin(&self, lane: u32, tag: u32, start: u64) {
        self.lanes[lane as usize].0.begin(u64::from(tag), self.slice_of(start));
    }

    /// Ends tracking. Does nothing if the call does not count any more.
    pub(super) fn end(&self, lane: u32, tag: u32, start: u64) {
        if tag == self.tag() {
            self.lanes[lane as usize].0.end(u64::from(tag), self.slice_of(start));
        }
    }

    /// How many calls in flight are slow at `now`.
    pub(super) fn slow(&self, now: u64) -> u32 {
        let (tag, width) = (u64::from(self.tag()), self.width.load(Ordering::Relaxed));
        let sum: i64 = self.lanes.iter().map(|lane| lane.0.slow(tag, width, now)).sum();
        u32::try_from(sum.max(0)).unwrap_or(u32::MAX)
    }

    /// When the next call in flight becomes slow, if nothing ends before.
    pub(super) fn next_slow(&self, now: u64) -> Option<u64> {
        let (tag, width) = (u64::from(self.tag()), self.width.load(Ordering::Relaxed));
        self.lanes.iter().filter_map(|lane| lane.0.next_slow(tag, width, now)).min()
    }

    fn slice_of(&self, start: u64) -> u64 {
        start / self.width.load(Ordering::Relaxed)
    }
}

fn width(slow_after: u64) -> u64 {
    (slow_after / SLICES_TO_SLOW).max(1)
}

/// From when on every call of a slice is slow. The rest of the division belongs to the width.
fn slow_from(id: u64, width: u64) -> u64 {
    id.saturating_add(1 + SLICES_TO_SLOW).saturating_mul(width).saturating_add(SLICES_TO_SLOW - 1)
}

/// Whether a word's tag was given out after `tag`: a call that was held up between reading the tag
/// and registering must not wipe out what counts now.
fn is_newer(word: u64, tag: u64) -> bool {
    word != 0 && word != tag && word.wrapping_sub(tag) % TAGS < TAGS / 2
}

impl Ring {
    fn new() -> Self {
        Self { slices: std::array::from_fn(|_| AtomicU64::new(0)), slow: AtomicU64::new(0) }
    }

    fn begin(&self, tag: u64, id: u64) {
        let slot = &self.slices[(id % SLICES as u64) as usize];
        let mut seen = slot.load(Ordering::Relaxed);
        loop {
            let slice = Slice(seen);
            let (next, folded) = if slice.tag() != tag {
                if is_newer(slice.tag(), tag) {
                    return;
                }
                (Slice::new(tag, id, 1), 0)
            } else if slice.id() == id as u16 {
                (Slice(seen + 1), 0)
            } else if slice.whole_id(id) > id {
                // The call is older than the ring is long.
                self.fold(tag, 1);
                return;
            } else {
                (Slice::new(tag, id, 1), slice.count())
            };
            match slot.compare_exchange_weak(seen, next.0, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    self.fold(tag, folded as i32);
                    return;
                }
                Err(now) => seen = now,
            }
        }
    }

    fn end(&self, tag: u64, id: u64) {
        let slot = &self.slices[(id % SLICES as u64) as usize];
        let mut seen = slot.load(Ordering::Acquire);
        loop {
            let slice = Slice(seen);
            if slice.tag() != tag {
                return;
            }
            if slice.id() != id as u16 || slice.count() == 0 {
                self.fold(tag, -1);
                return;
            }
            match slot.compare_exchange_weak(seen, seen - 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    fn fold(&self, tag: u64, calls: i32) {
        if calls == 0 {
            return;
        }
        let mut seen = self.slow.load(Ordering::Relaxed);
        loop {
            if is_newer(seen >> 32, tag) {
                return;
            }
            let sum = if seen >> 32 == tag { seen as u32 as i32 } else { 0 };
            let next = tag << 32 | u64::from(sum.wrapping_add(calls) as u32);
            match self.slow.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    fn slow(&self, tag: u64, width: u64, now: u64) -> i64 {
        let folded = self.slow.load(Ordering::Acquire);
        let folded = if folded >> 32 == tag { i64::from(folded as u32 as i32) } else { 0 };
        let slices: u64 = self
            .counted(tag, width, now)
            .filter(|&(id, _)| slow_from(id, width) <= now)
            .map(|(_, count)| count)
            .sum();
        folded + slices as i64
    }

    fn next_slow(&self, tag: u64, width: u64, now: u64) -> Option<u64> {
        self.counted(tag, width, now)
            .map(|(id, _)| slow_from(id, width))
            .filter(|&from| from > now)
            .min()
    }

    /// The slices that hold calls of `tag`, with their numbers.
    fn counted(&self, tag: u64, width: u64, now: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let near = now / width;
        self.slices
            .iter()
            .map(|slice| Slice(slice.load(Ordering::Acquire)))
            .filter(move |slice| slice.tag() == tag && slice.count() > 0)
            .map(move |slice| (slice.whole_id(near), slice.count()))
    }
}

#[cfg(all(test, not(tower_breaker_loom)))]
mod tests {
    use super::*;

    const SLOW_AFTER: u64 = 1_000;

    #[test]
    fn equals_a_list_of_the_calls_in_flight() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let tracker = InFlight::new(2, SLOW_AFTER);
            let tag = tracker.tag();
            let mut calls: Vec<(u32, u64)> = Vec::new();
            let mut now = random.u64(..1 << 40);
            for _ in 0..400 {
                now += random.u64(..SLOW_AFTER / 2);
                if random.u8(..3) > 0 {
                    let lane = random.u32(..2);
                    tracker.begin(lane, tag, now);
                    calls.push((lane, now));
                } else if !calls.is_empty() {
                    let (lane, start) = calls.swap_remove(random.usize(..calls.len()));
                    tracker.end(lane, tag, start);
                }
                let slow = |from: u64| {
                    calls.iter().filter(|&&(_, start)| start + from <= now).count() as u32
                };
                let counted = tracker.slow(now);
                assert!(counted <= slow(SLOW_AFTER), "none too early");
                assert!(counted >= slow(SLOW_AFTER * 5 / 4 + 4), "late by a quarter at most");
            }
        }
    }

    #[test]
    fn the_next_slow_moment_is_when_the_count_rises() {
        let tracker = InFlight::new(1, SLOW_AFTER);
        let tag = tracker.tag();
        assert_eq!(tracker.next_slow(5_000), None);
        tracker.begin(0, tag, 5_000);
        let next = tracker.next_slow(5_000).unwrap();
        assert!((6_000..=6_253).contains(&next), "{next}");
        assert_eq!(tracker.slow(next - 1), 0);
        assert_eq!(tracker.slow(next), 1);
        assert_eq!(tracker.next_slow(next), None);
        tracker.end(0, tag, 5_000);
        assert_eq!(tracker.slow(next), 0);
        assert_eq!(tracker.next_slow(5_000), None, "nothing is in flight");
    }

    #[test]
    fn a_restart_forgets_calls_and_their_ends() {
        let tracker = InFlight::new(1, SLOW_AFTER);
        let old = tracker.tag();
        tracker.begin(0, old, 0);
        tracker.begin(0, old, 0);
        tracker.restart(SLOW_AFTER);
        let new = tracker.tag();
        assert_ne!(old, new);
        assert_eq!(tracker.slow(10_000), 0);
        tracker.begin(0, new, 0);
        tracker.end(0, old, 0);
        assert_eq!(tracker.slow(10_000), 1);
    }

    #[test]
    fn a_registration_that_was_held_up_does_not_wipe_out_newer_ones() {
        let tracker = InFlight::new(1, SLOW_AFTER);
        let old = tracker.tag();
        tracker.restart(SLOW_AFTER);
        tracker.begin(0, tracker.tag(), 100);
        tracker.begin(0, old, 100);
        tracker.lanes[0].0.fold(u64::from(tracker.tag()), 1);
        tracker.lanes[0].0.fold(u64::from(old), 5);
        assert_eq!(tracker.slow(10_000), 2);
    }

    #[test]
    fn a_tag_is_newer_for_the_half_of_the_tags_that_come_after_it() {
        for (word, tag, newer) in [
            (0, TAGS - 1, false),
            (7, 7, false),
            (8, 7, true),
            (6, 7, false),
            (7 + TAGS / 2 - 1, 7, true),
            (7 + TAGS / 2, 7, false),
            // They start again.
            (1, TAGS - 1, true),
            (TAGS - 1, 1, false),
        ] {
            assert_eq!(is_newer(word, tag), newer, "{word} {tag}");
        }
    }

    #[test]
    fn tags_never_become_zero() {
        let tracker = InFlight::new(1, SLOW_AFTER);
        tracker.tag.store(TAGS - 1, Ordering::Relaxed);
        tracker.restart(SLOW_AFTER);
        assert_eq!(tracker.tag(), 1);
    }

    #[test]
    fn a_call_that_is_registered_late_is_slow_at_once() {
        let tracker = InFlight::new(1, SLOW_AFTER);
        let tag = tracker.tag();
        tracker.begin(0, tag, 100_000);
        // The same place in the ring, many rounds ago.
        let early = 100_000 - 10 * SLICES as u64 * (SLOW_AFTER / 4);
        tracker.begin(0, tag, early);
        assert_eq!(tracker.slow(100_000), 1);
        tracker.end(0, tag, early);
        assert_eq!(tracker.slow(100_000), 0);
        assert_eq!(tracker.slow(102_000), 1);
    }
}
