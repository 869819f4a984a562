//! The queue between the calls and the writer: bounded, and sampled when it fills up.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    mem::size_of,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::slot::{Alike, Slot};
use crate::name::ServiceName;

/// How many sorts of events are sampled apart from each other.
const SORTS: usize = 4096;

/// How many events are taken out at once, so that the lock is held for a microsecond or two.
const CHUNK: usize = 64;

/// The most bytes of a queue of that capacity, without texts.
pub(super) const fn bytes(capacity: usize) -> usize {
    let sorts = sorts(capacity);
    // A hash table is at most seven eighths full and grows by doubling.
    (capacity + sorts) * size_of::<Slot>()
        + 4 * sorts * (size_of::<(ServiceName, Alike)>() + size_of::<Slot>())
}

const fn sorts(capacity: usize) -> usize {
    if capacity < SORTS { capacity } else { SORTS }
}

/// Events that wait to be written, the oldest first.
///
/// Past three quarters of the capacity, events that are alike (of one service, of one kind) are
/// held back and merged: one is queued for every so many, and its weight says how many it stands
/// for. When the queue is full they are merged until there is room. The sum of weights is exact.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    capacity: usize,
    mark: usize,
    /// The most bytes that texts take.
    most_text: usize,
    /// The length at which the writer is woken.
    full_batch: usize,
}

#[derive(Debug)]
struct Inner {
    slots: VecDeque<Slot>,
    held: HashMap<(ServiceName, Alike), Slot, ahash::RandomState>,
    closed: bool,
    /// The bytes that the texts of all slots take.
    text: usize,
    counts: QueueCounts,
}

/// What a queue has seen, in events: one that stands for many counts as many.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QueueCounts {
    /// Events that came.
    pub(super) queued: u64,
    /// Events that were merged into another one.
    pub(super) sampled: u64,
    /// Events that found no place.
    pub(super) dropped: u64,
    /// Events that came with a text for which there was no room.
    pub(super) texts_dropped: u64,
    /// Events that were taken out.
    pub(super) taken: u64,
    /// Slots that were pushed and taken out so far.
    pub(super) slots_pushed: u64,
    pub(super) slots_taken: u64,
    /// Slots in the queue now.
    pub(super) length: usize,
}

impl QueueCounts {
    /// Events that wait.
    pub(super) fn waiting(&self) -> u64 {
        self.queued.saturating_sub(self.dropped).saturating_sub(self.taken)
    }
}

impl Queue {
    pub(super) fn new(capacity: usize, batch: usize, most_text: usize) -> Self {
        let inner = Inner {
            // Reserved, not touched: a queue that stays short stays small, and none ever moves.
            slots: VecDeque::with_capacity(capacity + sorts(capacity)),
            held: HashMap::default(),
            closed: false,
            text: 0,
            counts: QueueCounts::default(),
        };
        let mark = capacity - capacity / 4;
        Self { inner: Mutex::new(inner), capacity, mark, most_text, full_batch: batch.min(mark) }
    }

    /// Takes an event in. Returns whether there is a full batch now, and was not before.
    pub(super) fn push(&self, mut slot: Slot) -> bool {
        let text = slot.text_bytes();
        let mut inner = self.lock();
        let inner = &mut *inner;
        inner.counts.queued += u64::from(slot.weight);
        let length = inner.slots.len();
        if inner.closed {
            inner.counts.dropped += u64::from(slot.weight);
            return false;
        }
        if text > self.most_text.saturating_sub(inner.text) {
            inner.counts.texts_dropped += u64::from(slot.weight);
            slot.cause = None;
        } else {
            inner.text += text;
        }
        if length < self.mark {
            inner.enqueue(slot);
        } else {
            self.hold(inner, slot);
        }
        length < self.full_batch && inner.slots.len() == self.full_batch
    }

    #[cold]
    fn hold(&self, inner: &mut Inner, slot: Slot) {
        let (room, reserve) =
            (self.capacity.saturating_sub(inner.slots.len()), self.capacity - self.mark);
        // Two at the mark, four when half of the rest is used, and so on.
        let one_of = (2 * reserve).checked_div(room).map(|one_of| one_of.next_power_of_two());
        let is_ripe = |slot: &Slot| {
            one_of.is_some_and(|one_of| slot.weight as usize >= one_of || slot.is_single())
        };

        let sorts_held = inner.held.len();
        match inner.held.entry((slot.service.clone(), slot.alike())) {
            Entry::Vacant(entry) => {
                if is_ripe(&slot) {
                    inner.enqueue(slot);
                } else if sorts_held < sorts(self.capacity) {
                    entry.insert(slot);
                } else {
                    inner.text -= slot.text_bytes();
                    inner.counts.dropped += u64::from(slot.weight);
                }
            }
            Entry::Occupied(mut entry) => {
                let Some(weight) = entry.get().weight.checked_add(slot.weight) else {
                    inner.text -= slot.text_bytes();
                    inner.counts.dropped += u64::from(slot.weight);
                    return;
                };
                inner.counts.sampled += u64::from(slot.weight);
                inner.text -= entry.get().text_bytes();
                // The newest one stands for those before it.
                let merged = Slot { weight, ..slot };
                if is_ripe(&merged) {
                    entry.remove();
                    inner.enqueue(merged);
                } else {
                    entry.insert(merged);
                }
            }
        }
    }

    /// Moves up to `at_most` events into `out`, the oldest first, and returns how many.
    pub(super) fn take(&self, at_most: usize, out: &mut Vec<Slot>) -> usize {
        let mut taken = 0;
        while taken < at_most {
            let mut inner = self.lock();
            let inner = &mut *inner;
            let count = (at_most - taken).min(CHUNK).min(inner.slots.len());
            if count == 0 {
                break;
            }
            let before = out.len();
            out.extend(inner.slots.drain(..count));
            let weight: u64 = out.iter().skip(before).map(|slot| u64::from(slot.weight)).sum();
            inner.text -= out.iter().skip(before).map(Slot::text_bytes).sum::<usize>();
            inner.counts.taken += weight;
            inner.counts.slots_taken += count as u64;
            taken += count;
            if inner.slots.len() < self.mark {
                // At most as many as the queue has in reserve.
                inner.release();
            }
        }
        taken
    }

    /// Queues what is held back, and returns the number of slots that have to be taken out until all
    /// that came so far is. None where there is no room for it yet.
    pub(super) fn release(&self) -> Option<u64> {
        let mut inner = self.lock();
        // Past the capacity, but not past what is reserved.
        if inner.slots.len() + inner.held.len() > self.capacity + sorts(self.capacity) {
            return None;
        }
        inner.release();
        Some(inner.counts.slots_pushed)
    }

    /// Drops what comes from now on.
    pub(super) fn close(&self) {
        self.lock().closed = true;
    }

    /// Whether events are being sampled.
    pub(super) fn is_past_mark(&self) -> bool {
        self.lock().slots.len() >= self.mark
    }

    pub(super) fn counts(&self) -> QueueCounts {
        let inner = self.lock();
        QueueCounts { length: inner.slots.len(), ..inner.counts }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn enqueue(&mut self, slot: Slot) {
        self.slots.push_back(slot);
        self.counts.slots_pushed += 1;
    }

    fn release(&mut self) {
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            for slot in held.into_values() {
                self.enqueue(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::sync::Arc;

    use super::*;
    use crate::{breaker::Cause, journal::slot::What, store::Timestamp};

    /// More than the tests here need.
    const TEXT: usize = 1 << 20;

    fn slot(service: &str) -> Slot {
        let service = ServiceName::new(service).unwrap();
        Slot::new(service, Timestamp::EPOCH, What::Rejected)
    }

    fn drain(queue: &Queue) -> Vec<Slot> {
        let mut out = Vec::new();
        while queue.take(100, &mut out) > 0 {}
        out
    }

    fn total(slots: &[Slot]) -> u64 {
        slots.iter().map(|slot| u64::from(slot.weight)).sum()
    }

    #[test]
    fn below_the_mark_every_event_has_a_slot_of_its_own_in_order() {
        let queue = Queue::new(16, 4, TEXT);
        let woken: Vec<bool> = (0..12).map(|n| queue.push(slot(&format!("s{n}")))).collect();
        assert_eq!(woken.iter().filter(|&&woken| woken).count(), 1);
        assert!(woken[3], "the fourth fills a batch");
        let names: Vec<String> =
            drain(&queue).iter().map(|slot| slot.service.to_string()).collect();
        assert_eq!(names, (0..12).map(|n| format!("s{n}")).collect::<Vec<_>>());
        assert_eq!(queue.counts().sampled, 0);
    }

    #[test]
    fn past_the_mark_the_weights_say_how_many_an_event_stands_for() {
        let queue = Queue::new(16, 4, TEXT);
        for n in 0..100_000 {
            queue.push(slot(["a", "b", "c"][n % 3]));
        }
        let counts = queue.counts();
        assert_eq!((counts.queued, counts.dropped, counts.waiting()), (100_000, 0, 100_000));
        assert!(counts.length <= 16, "{}", counts.length);
        let slots = drain(&queue);
        assert_eq!(total(&slots), 100_000);
        assert_eq!(counts.sampled, 100_000 - slots.len() as u64);
        let of_a: Vec<Slot> = slots.into_iter().filter(|slot| &*slot.service == "a").collect();
        assert_eq!(total(&of_a), 33_334, "each service by itself");
        assert_eq!(queue.counts().waiting(), 0);
    }

    #[test]
    fn a_queue_that_is_asked_for_all_again_and_again_stays_bounded() {
        let queue = Queue::new(16, 4, TEXT);
        for n in 0..1_000 {
            queue.push(slot(&format!("s{}", n % 20)));
            queue.release();
        }
        let counts = queue.counts();
        assert!(counts.length <= 32, "{}", counts.length);
        assert_eq!(total(&drain(&queue)), 1_000 - counts.dropped);
        assert!(counts.dropped > 0, "twenty sorts where sixteen are told apart");
    }

    #[test]
    fn texts_take_no_more_than_they_may_and_their_events_come_without() {
        let queue = Queue::new(16, 4, 1_000);
        let text = || Some(Arc::new(Cause::new("timeout").with_message("x".repeat(150))));
        let bytes = text().map_or(0, |cause| cause.bytes());
        let fit = 1_000 / bytes;
        assert!((2..10).contains(&fit), "{fit}");

        for _ in 0..10 {
            queue.push(slot("a").with_cause(text()));
        }
        assert_eq!(queue.lock().text, fit * bytes);
        assert_eq!(queue.counts().texts_dropped, 10 - fit as u64);
        let with_text = |slots: &[Slot]| slots.iter().filter(|slot| slot.cause.is_some()).count();
        let slots = drain(&queue);
        assert_eq!((slots.len(), with_text(&slots)), (10, fit));
        assert_eq!(queue.lock().text, 0, "there is room again");
    }

    #[test]
    fn a_closed_queue_drops_and_counts() {
        let queue = Queue::new(16, 4, TEXT);
        queue.push(slot("a"));
        queue.close();
        queue.push(slot("a"));
        assert_eq!(queue.counts().dropped, 1);
        assert_eq!(total(&drain(&queue)), 1);
    }

    /// Where the queue lives, it never moves: its memory is that of the start.
    #[test]
    fn a_million_events_leave_no_growth() {
        let queue = Queue::new(1_000, 250, TEXT);
        let reserved = queue.lock().slots.capacity();
        let mut out = Vec::new();
        for n in 0..1_000_000_u32 {
            queue.push(slot("a"));
            if n % 5_000 == 0 {
                out.clear();
                queue.take(10_000, &mut out);
            }
        }
        let inner = queue.lock();
        assert_eq!(inner.slots.capacity(), reserved);
        assert!(inner.held.capacity() <= 2 * sorts(1_000));
        assert!(reserved * size_of::<Slot>() <= bytes(1_000));
    }

    proptest! {
        #[test]
        fn no_event_is_lost_or_made_up_nor_any_text_counted_that_is_gone(
            capacity in 16_usize..100,
            steps in prop::collection::vec((0_u8..4, 0_usize..60, 1_u32..5), 1..300),
        ) {
            let queue = Queue::new(capacity, 10, TEXT);
            let (mut queued, mut out) = (0, Vec::new());
            for (service, taken, weight) in steps {
                let cause = (taken % 2 == 0).then(|| Arc::new(Cause::new("timeout")));
                let slot = slot(&format!("s{service}")).with_cause(cause);
                queue.push(Slot { weight, ..slot });
                queued += u64::from(weight);
                if taken % 7 == 0 {
                    queue.take(taken, &mut out);
                }
                prop_assert_eq!(queue.counts().waiting(), queued - total(&out));
                prop_assert!(queue.counts().length <= 2 * capacity);
            }
            while queue.take(10, &mut out) > 0 {}
            prop_assert_eq!(total(&out), queued);
            prop_assert_eq!(queue.counts().dropped, 0);
            prop_assert_eq!(queue.lock().text, 0);
        }
    }
}
