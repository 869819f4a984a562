//! Retrying around a breaker: not what the breaker rejected.

use std::error::Error;

use tower::retry::Policy;

use crate::error::{is_rejection, rejected};

/// Whether trying again at once can help: not where a breaker rejected the call.
///
/// ```
/// use tower_breaker::{Breaker, retry};
///
/// let breaker = Breaker::builder("payments").build()?;
/// breaker.force_open();
/// assert!(!retry::worth_retrying(&breaker.try_acquire().unwrap_err()));
/// assert!(retry::worth_retrying(&std::io::Error::other("connection reset")));
/// # Ok::<(), tower_breaker::error::InvalidName>(())
/// ```
#[must_use]
pub fn worth_retrying(error: &(dyn Error + 'static)) -> bool {
    rejected(error).is_none()
}

/// A retry policy that asks another one, except about rejections, which it does not retry.
///
/// For a [`Retry`](tower::retry::Retry) outside of a breaker. A rejection is seen in a boxed error,
/// which is what the breaker's service has unless it was told otherwise, in an `io::Error`, and as
/// [`Rejected`](crate::Rejected) itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnlessRejected<P>(P);

impl<P> UnlessRejected<P> {
    /// Asks `policy` about everything but rejections.
    pub const fn new(policy: P) -> Self {
        Self(policy)
    }
}

impl<P, Req, Res, Err> Policy<Req, Res, Err> for UnlessRejected<P>
where
    P: Policy<Req, Res, Err>,
    Err: 'static,
{
    type Future = P::Future;

    fn retry(&mut self, req: &mut Req, result: &mut Result<Res, Err>) -> Option<Self::Future> {
        match result {
            Err(error) if is_rejection(error) => None,
            _ => self.0.retry(req, result),
        }
    }

    fn clone_request(&mut self, req: &Req) -> Option<Req> {
        self.0.clone_request(req)
    }
}
