//! A call whose response streams.

use std::sync::Arc;

use http::HeaderMap;

use super::ClassifyEos;
use crate::{
    breaker::{AnsweredCall, Cause, Describe, Handle, Permit},
    circuit::Outcome,
    classify::ask,
};

/// What is left to know about a call whose response is on its way to the caller.
///
/// Dropped, it ends the call with what the response was worth so far.
#[derive(Debug)]
pub(super) struct Tracked<T> {
    stage: Stage,
    /// None where the headers said it all.
    eos: Option<T>,
}

#[derive(Debug)]
enum Stage {
    /// Nothing has arrived that the call was made for: its time runs.
    Waiting(Permit),
    /// The time stands still. The outcome is this one unless something happens to the body.
    Streaming(AnsweredCall, Outcome),
    /// A probe that has succeeded. What fails from here on is a failure of its own.
    Probed(Arc<Handle>),
    /// The call has ended.
    Ended,
}

impl Stage {
    /// The stage of a call whose data has begun to come.
    fn going_on(call: AnsweredCall, verdict: Outcome) -> Self {
        if !call.is_probe() {
            return Self::Streaming(call, verdict);
        }
        // A stream without end must not hold the round.
        let handle = Arc::clone(call.handle());
        call.record(verdict);
        Self::Probed(handle)
    }
}

impl<T> Tracked<T> {
    pub(super) fn ended() -> Self {
        Self { stage: Stage::Ended, eos: None }
    }

    /// A call that its headers call a success.
    pub(super) fn streaming(permit: Permit, verdict: Outcome) -> Self {
        let stage = match permit.answered() {
            Some(call) => Stage::Streaming(call, verdict),
            None => Stage::Ended,
        };
        Self { stage, eos: None }
    }

    /// A call whose headers say nothing.
    pub(super) fn waiting(mut permit: Permit, eos: T) -> Self {
        permit.goes_on();
        Self { stage: Stage::Waiting(permit), eos: Some(eos) }
    }

    #[inline]
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    fn take(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Ended)
    }

    /// Data has arrived: the service does what it was called for.
    pub(super) fn data(&mut self) {
        self.stage = match self.take() {
            Stage::Waiting(permit) => match permit.answered() {
                Some(call) => Stage::going_on(call, Outcome::SUCCESS),
                None => Stage::Ended,
            },
            Stage::Streaming(call, verdict) => Stage::going_on(call, verdict),
            stage => stage,
        };
    }

    /// The stream failed.
    pub(super) fn failed(&mut self, cause: impl Fn() -> Cause) {
        end(self.take(), Outcome::FAILURE, &mut || Some(cause()));
    }
}

fn end(stage: Stage, outcome: Outcome, describe: Describe<'_>) {
    match stage {
        Stage::Waiting(permit) => permit.record_with(outcome, describe),
        Stage::Streaming(call, _) if outcome.is_plain_success() => call.record(outcome),
        Stage::Streaming(call, _) => call.record_with(outcome, describe),
        Stage::Probed(handle) if outcome.is_failed() => handle.book_apart(outcome, describe),
        Stage::Probed(_) | Stage::Ended => {}
    }
}

impl<T: ClassifyEos> Tracked<T> {
    /// The stream is complete.
    pub(super) fn complete(&mut self, trailers: Option<&HeaderMap>) {
        let outcome = match (&self.eos, &self.stage) {
            (Some(eos), _) => {
                ask(self.handle(), || eos.classify_eos(trailers)).unwrap_or(Outcome::IGNORED)
            }
            (None, Stage::Streaming(_, verdict)) => *verdict,
            (None, _) => Outcome::SUCCESS,
        };
        let stage = self.take();
        end(stage, outcome, &mut || self.eos.as_ref()?.describe_eos(trailers));
    }

    fn handle(&self) -> Option<&Handle> {
        match &self.stage {
            Stage::Waiting(permit) => permit.handle(),
            Stage::Streaming(call, _) => Some(call.handle()),
            Stage::Probed(handle) => Some(handle),
            Stage::Ended => None,
        }
    }
}

impl<T> Drop for Tracked<T> {
    fn drop(&mut self) {
        match self.take() {
            // Reports itself.
            Stage::Waiting(permit) => drop(permit),
            Stage::Streaming(call, verdict) => call.record(verdict),
            Stage::Probed(_) | Stage::Ended => {}
        }
    }
}
