//! The default: errors are failures.

use super::Classify;
use crate::circuit::Outcome;

/// Every error is a failure, every response a success.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorsAsFailures;

impl<Res, Err> Classify<Res, Err> for ErrorsAsFailures {
    #[inline(always)]
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        Outcome::failure_if(result.is_err())
    }
}
