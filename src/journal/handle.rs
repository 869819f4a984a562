//! The handle of a journal.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use super::{
    observer::JournalObserver,
    options::{InvalidOptions, JournalOptions},
    shared::Shared,
    slot::{Slot, What},
    spill::{Spill, SpillError},
    stats::JournalStats,
    unwritten::Unwritten,
    writer::Writer,
};
use crate::{
    breaker::{Breaker, ServiceName},
    circuit::Transition,
    store::{EventId, HistoryStore, RunId},
};

/// The handle of a journal. Cheap to clone; all clones are one journal.
///
/// See the [module docs](super).
#[derive(Clone, Debug)]
pub struct Journal(Arc<Shared>);

impl Journal {
    /// Makes a journal of one run, and the worker that writes it to the store. Nothing is written
    /// until the worker [runs](Writer::run).
    ///
    /// With a [spill](JournalOptions::spill) this makes the folder and looks into it, for which it
    /// blocks shortly; what an earlier run left there is written by this one.
    ///
    /// # Errors
    ///
    /// If an option is out of its bounds, or the folder of the spill cannot be used: another
    /// process has it, or it cannot be written.
    pub fn new(
        options: JournalOptions,
        history: Arc<dyn HistoryStore>,
        run: RunId,
    ) -> Result<(Self, Writer), JournalError> {
        options.check().map_err(JournalError::Options)?;
        let spill = match &options.spill {
            Some(spill) => Some(Spill::open(spill.clone(), run).map_err(JournalError::Spill)?),
            None => None,
        };
        let shared = Arc::new(Shared::new(run, options));
        let writer = Writer::new(Arc::clone(&shared), history, spill);
        Ok((Self(shared), writer))
    }

    /// An observer that writes what happens to the breakers that it is given to. It writes failures,
    /// slow calls, probes, changed settings and panics, and state changes where the
    /// [options](JournalOptions::transitions) say so.
    #[must_use]
    pub fn observer(&self) -> JournalObserver {
        JournalObserver(Arc::clone(&self.0))
    }

    /// Counts the calls and rejections of a breaker from now on, until all that use it are gone. A
    /// breaker of the same name that was counted before is not any more. Returns whether there was
    /// room: see [`JournalOptions::max_services`].
    ///
    /// What a breaker counted in its last second, after it was last read, is not kept.
    pub fn watch(&self, breaker: &Breaker) -> bool {
        let wall = self.0.wall();
        self.0.meter().watch(breaker, wall)
    }

    /// Records a state change that no coordinator commits.
    pub(crate) fn note_transition(&self, service: &ServiceName, transition: &Transition) {
        let at = self.0.wall();
        let what = What::Transition(Box::new(*transition));
        self.0.push(Slot::new(service.clone(), at, what));
    }

    /// The id of the next event of this run, for one that is written elsewhere: with the
    /// compare-and-swap of a state change.
    #[must_use]
    pub fn next_id(&self) -> EventId {
        self.0.next_id()
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.0.run
    }

    /// Waits until the store has everything that came before this call, for `within` at most, and
    /// returns what it does not have.
    ///
    /// Cancel safe: what was asked for goes on.
    pub async fn flush(&self, within: Duration) -> Unwritten {
        let Some(done) = self.0.request_flush() else {
            return self.0.unwritten();
        };
        match tokio::time::timeout(within, done).await {
            Ok(Ok(())) => Unwritten::default(),
            // Too late, or the writer is gone.
            Ok(Err(_)) | Err(_) => self.0.unwritten(),
        }
    }

    /// What the journal has done so far.
    #[must_use]
    pub fn stats(&self) -> JournalStats {
        self.0.stats()
    }
}

/// The error of a journal that cannot be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// An option is out of its bounds.
    Options(InvalidOptions),
    /// The folder of the spill cannot be used.
    Spill(SpillError),
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(error) => error.fmt(f),
            Self::Spill(error) => error.fmt(f),
        }
    }
}

impl Error for JournalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Options(_) => None,
            Self::Spill(error) => error.source(),
        }
    }
}
