//! What a journal has done so far.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a journal has done since it was made, and what waits. Events are counted with their
/// weights: one that stands for ten counts as ten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalStats {
    /// Events that came from breakers.
    pub queued: u64,
    /// Those of them that were merged into another event, because too many came.
    pub sampled: u64,
    /// Events that the store has taken, those of earlier runs too.
    pub written: u64,
    /// Events that are lost: no room, or no time at the end.
    pub dropped: u64,
    /// Events that came without what their calls failed with, because the texts of those that wait
    /// take all the memory that they [may](super::JournalOptions::queue_text_bytes).
    pub texts_dropped: u64,
    /// Events that went to disk.
    pub spilled: u64,
    /// Events that came back from disk and were written.
    pub replayed: u64,
    /// Bytes on disk that nothing could be made of: torn by a crash, or damaged.
    pub damaged_bytes: u64,
    /// Events and buckets that the store refused for what is in them.
    pub rejected_by_store: u64,
    /// Writes that failed and were, or will be, tried again.
    pub retries: u64,
    /// Events that wait in memory.
    pub waiting: u64,
    /// Events of this run that wait on disk.
    pub on_disk: u64,
    /// Bytes on disk, those of earlier runs among them.
    pub disk_bytes: u64,
    /// Metric buckets that the store has taken.
    pub buckets_written: u64,
    /// Metric buckets that wait.
    pub buckets_waiting: u64,
    /// Metric buckets that were given up because too many waited. Their calls are in coarser ones.
    pub buckets_dropped: u64,
    /// Breakers that are counted.
    pub services: u64,
    /// Breakers that were not taken in because there were too many.
    pub services_refused: u64,
    /// Rows that retention deleted.
    pub pruned: u64,
    /// Whether the last write failed.
    pub store_is_down: bool,
}

/// The counters behind [`JournalStats`], as far as they are not kept elsewhere.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) written: Counter,
    pub(super) dropped: Counter,
    pub(super) spilled: Counter,
    pub(super) replayed: Counter,
    pub(super) damaged_bytes: Counter,
    pub(super) rejected_by_store: Counter,
    pub(super) retries: Counter,
    /// Events that the writer has taken out of the queue and not got rid of.
    pub(super) in_hand: Counter,
    pub(super) on_disk: Counter,
    pub(super) disk_bytes: Counter,
    pub(super) buckets_written: Counter,
    /// Buckets that the writer has in hand.
    pub(super) buckets_in_hand: Counter,
    pub(super) pruned: Counter,
    pub(super) store_is_down: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
