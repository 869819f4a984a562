//! A call whose answer has begun: its time stands still, its outcome may still change.

use std::sync::Arc;

use super::{
    Describe, Handle,
    core::{GateWord, UNREAD},
};
use crate::circuit::{Outcome, Standing};

/// A call whose answer has begun and goes on: a response with a body that streams.
///
/// Its time is that until the answer began, whenever it is recorded; it is in flight no more, so it
/// becomes slow no more. Unlike a [`Permit`](super::Permit) it does not report itself when it is
/// dropped: its owner knows what the answer was worth so far.
#[derive(Debug)]
#[must_use = "a call that is not recorded keeps its place"]
pub(crate) struct AnsweredCall {
    handle: Arc<Handle>,
    gate: GateWord,
    /// The ticks that the call took, or that nobody had to know.
    took: u64,
}

impl AnsweredCall {
    pub(super) fn new(handle: Arc<Handle>, gate: GateWord, start: u64, tag: u32) -> Self {
        handle.circuit().untrack(handle.lane(), tag, start);
        let took = match start {
            UNREAD => UNREAD,
            start => handle.ticks().saturating_sub(start),
        };
        Self { handle, gate, took }
    }

    /// Whether the call was admitted to see if the service has recovered.
    pub(crate) fn is_probe(&self) -> bool {
        !self.gate.admits()
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// Ends the call with an outcome.
    pub(crate) fn record(self, outcome: Outcome) {
        self.handle.finish(self.gate, self.start(), 0, outcome);
    }

    /// The same; `describe` says what the call failed with.
    pub(crate) fn record_with(self, outcome: Outcome, describe: Describe<'_>) {
        self.handle.finish_described(self.gate, self.start(), 0, outcome, describe);
    }

    /// A start as long ago as the call took: what came after the answer is not its time.
    fn start(&self) -> u64 {
        match self.took {
            UNREAD => UNREAD,
            took => self.handle.ticks().saturating_sub(took),
        }
    }
}

impl Handle {
    /// Books an outcome that no call in flight stands for, as that of a call that was admitted and
    /// ended at once. Does nothing where no call is admitted: this one must not begin a probing
    /// round, and a round that is full has its verdict from others.
    pub(crate) fn book_apart(self: &Arc<Self>, outcome: Outcome, describe: Describe<'_>) {
        let admits = matches!(
            self.circuit().gate().standing(),
            Standing::Closed | Standing::MetricsOnly | Standing::Disabled | Standing::HasProbes
        );
        if admits && let Ok(permit) = self.acquire() {
            permit.unmeasured().record_with(outcome, describe);
        }
    }
}
