//! The trait of classifiers, and how they are asked.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{
    breaker::{Cause, Handle, Permit, UserCode, report_panic},
    circuit::Outcome,
    error::is_rejection,
};

/// Says what a result means to the circuit: see the [module docs](super).
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not classify `Result<&{Res}, &{Err}>`",
    note = "a closure needs its argument annotated: `|result: Result<&{Res}, &{Err}>| …`",
    note = "it returns an `Outcome`, or a `bool` that means failed"
)]
pub trait Classify<Res, Err> {
    /// What `result` means to the circuit.
    ///
    /// It runs outside every lock. If it panics, the outcome is ignored.
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome;

    /// What a `result` that [failed](Outcome::is_failed) failed with, for the event that tells of
    /// it. Asked only if somebody is told: an observer, a subscriber or a journal.
    ///
    /// It runs outside every lock. If it panics, nothing is said. Default: of an error the
    /// [name of its type](Cause::of_any), with a text where it is boxed; of a response nothing.
    fn describe(&self, result: Result<&Res, &Err>) -> Option<Cause>
    where
        Err: 'static,
    {
        result.err().map(cause_of)
    }
}

/// What is known of an error of any type.
pub(crate) fn cause_of<Err: 'static>(error: &Err) -> Cause {
    #[cfg(feature = "reqwest")]
    if let Some(error) = super::reqwest::find(error) {
        return super::reqwest::cause_of(error);
    }
    Cause::of_any(error)
}

impl<F, O, Res, Err> Classify<Res, Err> for F
where
    F: Fn(Result<&Res, &Err>) -> O,
    O: Into<Outcome>,
{
    #[inline(always)]
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        self(result).into()
    }
}

impl<C: Classify<Res, Err>, Res, Err> Classify<Res, Err> for Arc<C> {
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        (**self).classify(result)
    }

    fn describe(&self, result: Result<&Res, &Err>) -> Option<Cause>
    where
        Err: 'static,
    {
        (**self).describe(result)
    }
}

/// Asks a classifier on behalf of a permit's breaker.
#[inline(always)]
pub(crate) fn judge<C, Res, Err>(
    classify: &C,
    permit: &Permit,
    result: Result<&Res, &Err>,
) -> Outcome
where
    C: Classify<Res, Err>,
    Err: 'static,
{
    if let Err(error) = result
        && is_rejection(error)
    {
        return Outcome::IGNORED;
    }
    match catch_unwind(AssertUnwindSafe(|| classify.classify(result))) {
        Ok(outcome) => outcome,
        Err(panic) => panicked(permit.handle(), panic),
    }
}

/// Not given the permit, which then never has to have an address.
#[cold]
fn panicked(handle: Option<&Handle>, panic: Box<dyn Any + Send>) -> Outcome {
    if let Some(handle) = handle {
        report_panic(handle.hub(), handle.service(), UserCode::Classifier, panic);
    }
    Outcome::IGNORED
}

/// Asks what a classifier says about a stream; none if it panics, which is reported.
#[cfg(feature = "http")]
pub(crate) fn ask<T>(handle: Option<&Handle>, classify: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(classify)) {
        Ok(said) => Some(said),
        Err(panic) => {
            panicked(handle, panic);
            None
        }
    }
}
