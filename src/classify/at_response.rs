//! The result is known when the response is.

use super::{Classify, Described, Settle, judge};
use crate::{breaker::Permit, circuit::Outcome};

/// Classifies a call when its future is done. What happens to a body afterwards decides nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtResponse<C>(C);

impl<C> AtResponse<C> {
    /// Classifies with `classify` when the future is done.
    pub const fn new(classify: C) -> Self {
        Self(classify)
    }

    pub(crate) fn described<D>(self, describe: D) -> AtResponse<Described<C, D>> {
        AtResponse(Described::new(self.0, describe))
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
        if !outcome.is_plain_success() {
            return record_described(&self.0, permit, outcome, result);
        }
        permit.record(outcome);
        result
    }

    fn settle_error(&self, permit: Permit, error: &Err) {
        let outcome = judge(&self.0, &permit, Err(error));
        permit.record_with(outcome, || self.0.describe(Err(error)));
    }

    fn pass(response: Res) -> Res {
        response
    }
}

/// Given all by value, so that neither the permit nor the result of a plain success ever has to have
/// an address.
#[cold]
#[inline(never)]
fn record_described<C, Res, Err>(
    classify: &C,
    permit: Permit,
    outcome: Outcome,
    result: Result<Res, Err>,
) -> Result<Res, Err>
where
    C: Classify<Res, Err>,
    Err: 'static,
{
    permit.record_with(outcome, || classify.describe(result.as_ref()));
    result
}
