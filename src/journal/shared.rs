//! What the handle, the observers and the writer of a journal share.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{Notify, oneshot};

use super::{
    meter::Meter,
    options::JournalOptions,
    queue::Queue,
    slot::{Slot, What},
    stats::{Counters, JournalStats},
    unwritten::Unwritten,
};
use crate::{
    breaker::clock::ClockSource,
    circuit::State,
    name::ServiceName,
    store::{EventId, RunId, Timestamp},
};

/// How many state changes wait for the meter; where there are more, it goes by the state it finds.
const CHANGES: usize = 4096;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) run: RunId,
    pub(super) options: JournalOptions,
    pub(super) clock: ClockSource,
    pub(super) queue: Queue,
    pub(super) counters: Counters,
    /// Wakes the writer: a batch is full, or somebody flushes.
    pub(super) work: Notify,
    meter: Mutex<Meter>,
    /// State changes that the meter has not seen: calls that tell of them do not wait for it.
    changes: Mutex<Vec<(ServiceName, State, Timestamp)>>,
    next_sequence: AtomicU64,
    flushes: Mutex<Option<Vec<FlushRequest>>>,
}

/// Somebody waits until what came so far is written.
#[derive(Debug)]
pub(super) struct FlushRequest {
    /// How many slots have to be taken out of the queue; none where that is not known yet.
    pub(super) target: Option<u64>,
    pub(super) done: oneshot::Sender<()>,
}

impl Shared {
    pub(super) fn new(run: RunId, options: JournalOptions) -> Self {
        Self {
            run,
            clock: options.clock.clone().unwrap_or_else(ClockSource::fast),
            queue: Queue::new(
                options.queue_capacity,
                options.batch_size as usize,
                options.queue_text_bytes,
            ),
            counters: Counters::default(),
            work: Notify::new(),
            meter: Mutex::new(Meter::new(run, options.max_services, options.max_buckets)),
            changes: Mutex::default(),
            next_sequence: AtomicU64::new(0),
            flushes: Mutex::new(Some(Vec::new())),
            options,
        }
    }

    pub(super) fn next_id(&self) -> EventId {
        EventId { run: self.run, sequence: self.next_sequence.fetch_add(1, Ordering::Relaxed) }
    }

    pub(super) fn push(&self, slot: Slot) {
        if self.queue.push(slot) {
            self.work.notify_one();
        }
    }

    pub(super) fn wall(&self) -> Timestamp {
        Timestamp::from(self.clock.wall())
    }

    pub(super) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a state change of a breaker that may be counted.
    pub(super) fn note_state(&self, service: &ServiceName, state: State, at: Timestamp) {
        let mut changes = self.changes();
        if changes.len() < CHANGES {
            changes.push((service.clone(), state, at));
        }
    }

    /// Reads the counters of all breakers, and tells of rejections.
    pub(super) fn read_meter(&self) {
        let mut meter = self.meter();
        let changes = std::mem::take(&mut *self.changes());
        for (service, state, at) in changes {
            meter.note_state(&service, state, at);
        }
        let at = self.wall();
        meter.read(at, |service, count| self.push_rejections(service, at, count));
    }

    /// Reads the counters of all breakers and makes all figures due.
    pub(super) fn read_out_meter(&self) {
        self.read_meter();
        self.meter().write_all();
    }

    fn push_rejections(&self, service: &ServiceName, at: Timestamp, mut count: u64) {
        while count > 0 {
            let weight = u32::try_from(count).unwrap_or(u32::MAX);
            self.push(Slot { weight, ..Slot::new(service.clone(), at, What::Rejected) });
            count -= u64::from(weight);
        }
    }

    // ===== flushing =====

    /// Asks the writer to write all that came so far. None if there is no writer any more.
    pub(super) fn request_flush(&self) -> Option<oneshot::Receiver<()>> {
        self.read_out_meter();
        let target = self.queue.release();
        let (done, finished) = oneshot::channel();
        self.flushes().as_mut()?.push(FlushRequest { target, done });
        self.work.notify_one();
        Some(finished)
    }

    /// Whether somebody flushes.
    pub(super) fn is_flushing(&self) -> bool {
        self.flushes().as_ref().is_some_and(|requests| !requests.is_empty())
    }

    /// Answers those who flush. Called when nothing is in hand or on disk.
    pub(super) fn answer_flushes(&self) {
        let taken = self.queue.counts().slots_taken;
        if self.meter().due() > 0 {
            return;
        }
        let mut flushes = self.flushes();
        let Some(requests) = flushes.as_mut() else { return };
        for mut request in std::mem::take(requests) {
            request.target = request.target.or_else(|| self.queue.release());
            if request.target.is_some_and(|target| target <= taken) {
                // Whoever gave up waiting needs no answer.
                let _ = request.done.send(());
            } else if !request.done.is_closed() {
                requests.push(request);
            }
        }
    }

    /// There is no writer any more: what comes is dropped, and nobody waits.
    pub(super) fn close(&self) {
        self.queue.close();
        *self.flushes() = None;
    }

    fn changes(&self) -> MutexGuard<'_, Vec<(ServiceName, State, Timestamp)>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flushes(&self) -> MutexGuard<'_, Option<Vec<FlushRequest>>> {
        self.flushes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ===== looking =====

    /// Whether the writer has more to do than it gets done.
    pub(super) fn is_behind(&self) -> bool {
        self.counters.store_is_down.load(Ordering::Relaxed) || self.queue.is_past_mark()
    }

    pub(super) fn unwritten(&self) -> Unwritten {
        Unwritten {
            events: self.queue.counts().waiting() + self.counters.in_hand.get(),
            on_disk: self.counters.on_disk.get(),
            disk_bytes: self.counters.disk_bytes.get(),
            buckets: self.meter().due() as u64 + self.counters.buckets_in_hand.get(),
        }
    }

    pub(super) fn stats(&self) -> JournalStats {
        let queue = self.queue.counts();
        let counters = &self.counters;
        let meter = self.meter();
        JournalStats {
            queued: queue.queued,
            sampled: queue.sampled,
            written: counters.written.get(),
            dropped: queue.dropped + counters.dropped.get(),
            texts_dropped: queue.texts_dropped,
            spilled: counters.spilled.get(),
            replayed: counters.replayed.get(),
            damaged_bytes: counters.damaged_bytes.get(),
            rejected_by_store: counters.rejected_by_store.get(),
            retries: counters.retries.get(),
            waiting: queue.waiting() + counters.in_hand.get(),
            on_disk: counters.on_disk.get(),
            disk_bytes: counters.disk_bytes.get(),
            buckets_written: counters.buckets_written.get(),
            buckets_waiting: meter.due() as u64 + counters.buckets_in_hand.get(),
            buckets_dropped: meter.dropped(),
            services: meter.services() as u64,
            services_refused: meter.refused(),
            pruned: counters.pruned.get(),
            store_is_down: counters.store_is_down.load(Ordering::Relaxed),
        }
    }
}
