//! The loop of the writer.

use std::{convert::Infallible, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, join3, select};

use super::{
    attempt::{attempt, is_refusal},
    disk::Disk,
    outage::Outage,
    parts::Parts,
};
use crate::{
    journal::{
        retention::prune_on, shared::Shared, slot::Slot, spill::Spill, unwritten::Unwritten,
    },
    store::{EventRecord, HistoryStore, MetricBucket, Resolution, StoreError},
};

/// The worker of a journal: to be [run](Self::run) in a task of its own.
#[derive(Debug)]
#[must_use = "nothing is written until the writer runs"]
pub struct Writer {
    pub(super) shared: Arc<Shared>,
    history: Arc<dyn HistoryStore>,
    /// Events that are neither in the queue nor on disk.
    pub(super) events: Parts<EventRecord>,
    buckets: Parts<MetricBucket>,
    pub(super) disk: Option<Disk>,
    /// The events of the oldest segment, while they are being written.
    pub(super) replay: Parts<EventRecord>,
    pub(super) is_replaying: bool,
    /// What is being written to disk.
    pub(super) spilling: u64,
    outage: Outage,
    /// Slots that have to be taken out of the queue even where they fill no batch.
    due: u64,
    slots: Vec<Slot>,
    pub(super) told: Told,
}

/// What is logged once.
#[derive(Debug, Default)]
pub(super) struct Told {
    refusal: bool,
    pub(super) disk_error: bool,
    pub(super) disk_full: bool,
    pub(super) damage: Option<PathBuf>,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Wrote,
    NothingToDo,
    Failed,
}

impl Writer {
    pub(in crate::journal) fn new(
        shared: Arc<Shared>,
        history: Arc<dyn HistoryStore>,
        spill: Option<Spill>,
    ) -> Self {
        let outage = Outage::new(&shared.options);
        let disk = spill.map(Disk::new);
        shared.counters.disk_bytes.set(disk.as_ref().map_or(0, Disk::bytes));
        Self {
            shared,
            history,
            events: Parts::default(),
            buckets: Parts::default(),
            disk,
            replay: Parts::default(),
            is_replaying: false,
            spilling: 0,
            outage,
            due: 0,
            slots: Vec::new(),
            told: Told::default(),
        }
    }

    /// Writes until `shutdown` is ready, which says how long the rest may take: then writes all that
    /// came until now, puts on disk what the store does not take, where there is a
    /// [spill](crate::journal::JournalOptions::spill), and returns what is left. Events that come
    /// later are dropped and counted.
    ///
    /// Needs a runtime of tokio with time. Dropping the future ends the journal without writing
    /// what waits.
    pub async fn run(mut self, shutdown: impl Future<Output = Duration>) -> Unwritten {
        let within = {
            let (shared, history) = (Arc::clone(&self.shared), Arc::clone(&self.history));
            let work = join3(self.write_on(), read_on(&shared), prune_on(&shared, &*history));
            match select(pin!(work), pin!(shutdown)).await {
                Either::Left(((never, _, _), _)) => match never {},
                Either::Right((within, _)) => within,
            }
        };
        self.end(within).await
    }

    async fn write_on(&mut self) -> Infallible {
        let shared = Arc::clone(&self.shared);
        let mut interval = tokio::time::interval(shared.options.flush_interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            match self.step().await {
                Step::Wrote => {}
                Step::NothingToDo => {
                    let full = pin!(shared.work.notified());
                    let is_time = match select(pin!(interval.tick()), full).await {
                        Either::Left(_) => true,
                        Either::Right(_) => shared.is_flushing(),
                    };
                    if is_time {
                        self.due = shared.queue.counts().slots_pushed;
                    }
                }
                Step::Failed => self.wait_out().await,
            }
            self.answer_flushes();
        }
    }

    fn answer_flushes(&self) {
        if self.has_nothing() && self.shared.is_flushing() {
            self.shared.answer_flushes();
        }
    }

    /// Whether there is nothing but what is in the queue and the meter.
    fn has_nothing(&self) -> bool {
        self.events.is_empty()
            && self.buckets.is_empty()
            && !self.is_replaying
            && self.disk.as_ref().is_none_or(Disk::is_empty)
    }

    // ===== writing =====

    /// Writes one part of events and one of buckets.
    async fn step(&mut self) -> Step {
        self.load().await;
        let events = self.write_events().await;
        if events == Step::Failed {
            return events;
        }
        let buckets = self.write_buckets().await;
        if buckets == Step::NothingToDo { events } else { buckets }
    }

    /// Takes the next events in hand: what is on disk is older than what is in the queue.
    async fn load(&mut self) {
        if !(self.events.is_empty() && self.replay.is_empty()) {
            return;
        }
        if self.disk.is_some() {
            self.load_replay().await;
            if !self.replay.is_empty() {
                if self.shared.queue.is_past_mark() {
                    self.spill_queue().await;
                }
                return;
            }
        }
        let counts = self.shared.queue.counts();
        let batch = self.shared.options.batch_size as usize;
        if counts.slots_taken < self.due || counts.length >= batch {
            let events = self.take_from_queue(batch);
            self.events.put(events, batch);
            self.note_hand();
        }
    }

    pub(super) fn take_from_queue(&mut self, at_most: usize) -> Vec<EventRecord> {
        let shared = &*self.shared;
        shared.queue.take(at_most, &mut self.slots);
        let redact = shared.options.redact.as_ref();
        self.slots.drain(..).map(|slot| slot.into_event(shared.next_id(), redact)).collect()
    }

    async fn write_events(&mut self) -> Step {
        let shared = Arc::clone(&self.shared);
        let is_replay = self.events.is_empty();
        let hand = if is_replay { &mut self.replay } else { &mut self.events };
        let Some(part) = hand.front() else { return Step::NothingToDo };
        let limit = shared.options.write_timeout;
        let step = match attempt(limit, "append", self.history.append(part)).await {
            Ok(_) => {
                let weight = hand.pop().as_deref().map_or(0, weight);
                shared.counters.written.add(weight);
                if is_replay {
                    shared.counters.replayed.add(weight);
                }
                self.outage.end(&shared);
                Step::Wrote
            }
            Err(error) if is_refusal(&error) => {
                let refused = hand.refuse();
                self.outage.end(&shared);
                if let Some(event) = refused {
                    self.note_refusal(&error, &event.service, u64::from(event.weight));
                }
                Step::Wrote
            }
            Err(error) => {
                self.outage.failed(&shared, &error);
                Step::Failed
            }
        };
        self.note_hand();
        step
    }

    async fn write_buckets(&mut self) -> Step {
        let shared = Arc::clone(&self.shared);
        if self.buckets.is_empty() {
            let batch = shared.options.batch_size as usize;
            let due = shared.meter().take_due(batch);
            self.buckets.put(due, batch);
            self.note_hand();
        }
        let Some(part) = self.buckets.front() else { return Step::NothingToDo };
        let limit = shared.options.write_timeout;
        let step = match attempt(limit, "upsert_metrics", self.history.upsert_metrics(part)).await {
            Ok(()) => {
                let written = self.buckets.pop().map_or(0, |part| part.len());
                shared.counters.buckets_written.add(written as u64);
                self.outage.end(&shared);
                Step::Wrote
            }
            Err(error) if is_refusal(&error) => {
                let refused = self.buckets.refuse();
                self.outage.end(&shared);
                if let Some(bucket) = refused {
                    self.note_refusal(&error, &bucket.service, 1);
                }
                Step::Wrote
            }
            Err(error) => {
                self.outage.failed(&shared, &error);
                Step::Failed
            }
        };
        self.note_hand();
        step
    }

    fn note_refusal(&mut self, error: &StoreError, service: &str, weight: u64) {
        self.shared.counters.rejected_by_store.add(weight);
        if !std::mem::replace(&mut self.told.refusal, true) {
            tracing::warn!(
                %error,
                service,
                "circuit breaker history: the store refuses an event or a bucket, which is left \
                 out; further ones are only counted"
            );
        }
    }

    pub(super) fn note_hand(&self) {
        let counters = &self.shared.counters;
        let events: u64 = self.events.iter().map(|event| u64::from(event.weight)).sum();
        counters.in_hand.set(events + self.spilling);
        counters.buckets_in_hand.set(self.buckets.iter().count() as u64);
        if let Some(disk) = &self.disk {
            counters.disk_bytes.set(disk.bytes());
        }
    }

    /// Waits until the store is to be tried again, and puts on disk what comes meanwhile.
    async fn wait_out(&mut self) {
        let Some(mut left) = self.outage.delay() else { return };
        loop {
            self.spill_all().await;
            let nap = match self.disk {
                Some(_) => left.min(self.shared.options.flush_interval),
                None => left,
            };
            tokio::time::sleep(nap).await;
            left = left.saturating_sub(nap);
            if left.is_zero() {
                return;
            }
        }
    }

    // ===== shutdown =====

    async fn end(mut self, within: Duration) -> Unwritten {
        let shared = Arc::clone(&self.shared);
        shared.read_out_meter();
        shared.queue.close();
        self.due = u64::MAX;
        // Too late: what is left is counted below.
        let _ = tokio::time::timeout(within, self.write_all()).await;
        self.answer_flushes();
        self.spill_all().await;
        let unwritten = shared.unwritten();
        shared.counters.dropped.add(unwritten.events);
        if !unwritten.is_nothing() {
            let Unwritten { events, on_disk, buckets, .. } = unwritten;
            tracing::warn!(
                events,
                on_disk,
                buckets,
                "circuit breaker history: the store did not take all before the end"
            );
        }
        unwritten
    }

    /// Writes all there is, however often that fails.
    async fn write_all(&mut self) {
        loop {
            match self.step().await {
                Step::Wrote => {}
                Step::NothingToDo => return,
                Step::Failed => {
                    if let Some(delay) = self.outage.delay() {
                        tokio::time::sleep(delay).await;
                    }
                }
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// Reads the counters of breakers when each second has ended, for ever.
async fn read_on(shared: &Shared) -> Infallible {
    loop {
        let second = Resolution::Second;
        let now = shared.wall();
        let into = now.since(second.start_of(now));
        // A timer is never early, but may be of whole milliseconds.
        let left = second.length().saturating_sub(into) + Duration::from_millis(1);
        tokio::time::sleep(left).await;
        shared.read_meter();
    }
}

pub(super) fn weight(events: &[EventRecord]) -> u64 {
    events.iter().map(|event| u64::from(event.weight)).sum()
}
