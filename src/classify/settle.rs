//! When the result of a call is known.

use crate::breaker::Permit;

/// Says when the result of a call is known, and ends its permit then.
///
/// A [`Classify`](super::Classify) alone cannot keep a permit inside a response's body. Implement
/// this for responses whose outcome shows later than they do.
pub trait Settle<Res, Err> {
    /// The response that callers get: the inner one, or one that carries the permit.
    type Response;

    /// Takes the result of the inner service and its permit.
    ///
    /// # Errors
    ///
    /// The error of the inner service.
    fn settle(&self, permit: Permit, result: Result<Res, Err>) -> Result<Self::Response, Err>;

    /// Takes an error of the inner service's readiness, which comes without a call, and the permit
    /// that it ends.
    fn settle_error(&self, permit: Permit, error: &Err);

    /// Turns a response that did not come from the inner service, but from `reject_with` or
    /// `fallback`, into what callers get.
    fn pass(response: Res) -> Self::Response;
}
