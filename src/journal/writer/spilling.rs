//! How the writer puts events on disk, and takes them back.

use super::{
    disk::{Disk, Done, Job},
    run::{Writer, weight},
};
use crate::{
    journal::spill::{SpillError, Spilled},
    store::EventRecord,
};

/// How many events go to disk at once.
const SPILLED_AT_ONCE: usize = 1024;

impl Writer {
    /// Takes the events of the oldest segment in hand, and deletes those that are written.
    pub(super) async fn load_replay(&mut self) {
        self.finish_disk().await;
        while self.replay.is_empty() {
            let job = if self.is_replaying { Job::RemoveOldest } else { Job::ReadOldest };
            let is_of_use = |disk: &&mut Disk| disk.is_there() && !disk.is_empty();
            let Some(disk) = self.disk.as_mut().filter(is_of_use) else { return };
            disk.begin(job);
            if !self.finish_disk().await {
                return;
            }
        }
    }

    /// Puts on disk what is in hand and in the queue.
    pub(super) async fn spill_all(&mut self) {
        self.finish_disk().await;
        if self.disk.as_ref().is_none_or(|disk| !disk.is_there()) {
            return;
        }
        let events = self.events.take_all();
        if events.is_empty() || self.spill(events).await {
            self.spill_queue().await;
        }
    }

    /// Puts on disk what is in the queue.
    pub(super) async fn spill_queue(&mut self) {
        while self.events.is_empty() {
            let events = self.take_from_queue(SPILLED_AT_ONCE);
            if events.is_empty() || !self.spill(events).await {
                return;
            }
        }
    }

    /// Puts events on disk; those that find no place there are in hand again. Returns whether all
    /// did.
    async fn spill(&mut self, events: Vec<EventRecord>) -> bool {
        let Some(disk) = self.disk.as_mut().filter(|disk| disk.is_there()) else {
            self.events.put(events, self.shared.options.batch_size as usize);
            self.note_hand();
            return false;
        };
        self.spilling = weight(&events);
        disk.begin(Job::Spill(events));
        self.note_hand();
        self.finish_disk().await
    }

    /// Waits for what is being done to the disk. Returns whether it went well.
    async fn finish_disk(&mut self) -> bool {
        let Some(disk) = &mut self.disk else { return true };
        let Some(done) = disk.finish().await else { return true };
        let went_well = self.note_done(done);
        self.note_hand();
        went_well
    }

    fn note_done(&mut self, done: Done) -> bool {
        let counters = &self.shared.counters;
        match done {
            Done::Spilled(Spilled { left, error }) => {
                let spilled = std::mem::take(&mut self.spilling) - weight(&left);
                counters.spilled.add(spilled);
                counters.on_disk.add(spilled);
                let all = left.is_empty();
                self.events.put(left, self.shared.options.batch_size as usize);
                match error {
                    Some(error) => self.note_disk_error(&error),
                    None if !all => self.note_full_disk(),
                    None => self.told.disk_full = false,
                }
                all
            }
            Done::Read(Ok(Some(replay))) => {
                if replay.damaged > 0 && self.told.damage.as_ref() != Some(&replay.path) {
                    counters.damaged_bytes.add(replay.damaged);
                    tracing::warn!(
                        path = %replay.path.display(),
                        bytes = replay.damaged,
                        "circuit breaker history: the end of a spilled segment cannot be read: a \
                         crash tore it off, or it is damaged"
                    );
                    self.told.damage = Some(replay.path);
                }
                self.is_replaying = true;
                self.replay.put(replay.events, self.shared.options.batch_size as usize);
                true
            }
            Done::Read(Ok(None)) => true,
            Done::Removed(Ok(())) => {
                self.is_replaying = false;
                if self.disk.as_ref().is_none_or(Disk::is_empty) {
                    counters.on_disk.set(0);
                }
                true
            }
            Done::Read(Err(error)) => {
                self.note_disk_error(&error);
                false
            }
            Done::Removed(Err(error)) => {
                self.is_replaying = false;
                self.note_disk_error(&error);
                true
            }
            Done::Lost => {
                counters.dropped.add(std::mem::take(&mut self.spilling));
                tracing::error!("circuit breaker history: events cannot be spilled any more");
                false
            }
        }
    }

    fn note_disk_error(&mut self, error: &SpillError) {
        if !std::mem::replace(&mut self.told.disk_error, true) {
            let cause = std::error::Error::source(error).map(tracing::field::display);
            tracing::warn!(%error, cause, "circuit breaker history: the spill folder fails");
        }
    }

    fn note_full_disk(&mut self) {
        if !std::mem::replace(&mut self.told.disk_full, true) {
            tracing::warn!(
                bytes = self.disk.as_ref().map_or(0, Disk::bytes),
                "circuit breaker history: the spill folder is full, events wait in memory"
            );
        }
    }
}
