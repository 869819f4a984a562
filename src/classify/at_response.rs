//! The result is known when the response is.

use super::{Classify, Settle, judge};
use crate::{breaker::Permit, circuit::Outcome};

/// Classifies a call when its future is done. What happens to a body afterwards decides nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtResponse<C>(C);

impl<C> AtResponse<C> {
    /// Classifies with `classify` when the future is done.
    pub const fn new(classify: C) -> Self {
        Self(classify)
    }
}

impl<C, Res, Err> Settle<Res, Err> for AtResponse<C>
where
    C: Classify<Res, Err>,
    Err: 'static,
{
    type Response = Res;

    #[inline(always)]
    fn settle(&self, permit: Permit, result: Result<Res, Err>) -> Result<Res, Err> {
        let outcome = judge(&self.0, &permit, result.as_ref());
        permit.record(outcome);
        result
    }

    fn classify_error(&self, permit: &Permit, error: &Err) -> Outcome {
        judge(&self.0, permit, Err(error))
    }

    fn pass(response: Res) -> Res {
        response
    }
}
