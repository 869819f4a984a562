//! The spill folder, worked on outside of the runtime's workers.

use tokio::task::{JoinHandle, spawn_blocking};

use crate::{
    journal::spill::{Replay, Spill, SpillError, Spilled},
    store::EventRecord,
};

/// A folder, and the one thing that is being done to it.
///
/// A future of this that is dropped loses nothing: what was begun goes on, and
/// [`finish`](Self::finish) returns what came of it.
#[derive(Debug)]
pub(super) struct Disk {
    idle: Option<Spill>,
    running: Option<JoinHandle<(Spill, Done)>>,
    bytes: u64,
    is_empty: bool,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Job {
    Spill(Vec<EventRecord>),
    ReadOldest,
    RemoveOldest,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    Spilled(Spilled),
    Read(Result<Option<Replay>, SpillError>),
    Removed(Result<(), SpillError>),
    /// The folder is of no use any more.
    Lost,
}

impl Disk {
    pub(super) fn new(spill: Spill) -> Self {
        let (bytes, is_empty) = (spill.bytes(), spill.is_empty());
        Self { idle: Some(spill), running: None, bytes, is_empty }
    }

    /// Begins something; what was begun before has to be finished.
    pub(super) fn begin(&mut self, job: Job) {
        if let Some(mut spill) = self.idle.take() {
            self.running = Some(spawn_blocking(move || {
                let done = match job {
                    Job::Spill(events) => Done::Spilled(spill.spill(events)),
                    Job::ReadOldest => Done::Read(spill.oldest()),
                    Job::RemoveOldest => Done::Removed(spill.remove_oldest()),
                };
                (spill, done)
            }));
        }
    }

    /// Waits for what was begun; none if nothing was.
    pub(super) async fn finish(&mut self) -> Option<Done> {
        let result = self.running.as_mut()?.await;
        self.running = None;
        Some(match result {
            Ok((spill, done)) => {
                self.bytes = spill.bytes();
                self.is_empty = spill.is_empty();
                self.idle = Some(spill);
                done
            }
            // It panicked, or the runtime is going down.
            Err(_) => {
                self.is_empty = true;
                Done::Lost
            }
        })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is no segment.
    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Whether it can be used.
    pub(super) fn is_there(&self) -> bool {
        self.idle.is_some() || self.running.is_some()
    }
}
