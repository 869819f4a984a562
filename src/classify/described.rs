//! A classifier that is told by another how to describe failures.

use std::fmt;

use super::Classify;
use crate::{breaker::Cause, circuit::Outcome};

/// Classifies as `C` does; a closure says what failed results failed with.
///
/// Made by [`CircuitBreakerLayer::describe`](crate::CircuitBreakerLayer::describe), or by
/// [`new`](Self::new) where the classifier is wrapped in another [`Settle`](super::Settle).
#[derive(Clone, Copy)]
pub struct Described<C, D> {
    classify: C,
    describe: D,
}

impl<C, D> Described<C, D> {
    /// Classifies with `classify`; `describe` is a closure over `Result<&Response, &Error>` that
    /// returns an `Option<Cause>`.
    pub const fn new(classify: C, describe: D) -> Self {
        Self { classify, describe }
    }

    #[cfg(feature = "http")]
    pub(super) const fn parts(&self) -> (&C, &D) {
        (&self.classify, &self.describe)
    }
}

impl<C, D, Res, Err> Classify<Res, Err> for Described<C, D>
where
    C: Classify<Res, Err>,
    D: Fn(Result<&Res, &Err>) -> Option<Cause>,
{
    #[inline(always)]
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        self.classify.classify(result)
    }

    fn describe(&self, result: Result<&Res, &Err>) -> Option<Cause> {
        (self.describe)(result)
    }
}

impl<C: fmt::Debug, D> fmt::Debug for Described<C, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Described").field("classify", &self.classify).finish_non_exhaustive()
    }
}
