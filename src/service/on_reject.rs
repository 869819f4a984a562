//! What a caller gets when its call is rejected.

use std::{
    fmt,
    future::{Future, Ready, ready},
};

use crate::{breaker::Rejected, error::BoxError};

/// The error type of a service, from that of the inner one.
pub trait ErrorOf<Err> {
    /// The error of the service.
    type Error;

    /// Turns an error of the inner service into one of the service.
    fn error(error: Err) -> Self::Error;
}

/// Says what a caller gets when its call is rejected.
pub trait OnReject<Req, Res, Err>: ErrorOf<Err> {
    /// Comes to a response of the inner service's type, or an error of the service.
    type Future: Future<Output = Result<Res, <Self as ErrorOf<Err>>::Error>>;

    /// Answers a rejected request.
    fn reject(&self, request: Req, rejected: Rejected) -> Self::Future;
}

/// The default: the error is boxed, as tower's own are, and a rejection downcasts to [`Rejected`].
///
/// [`error::rejected`](crate::error::rejected) finds it behind other layers' errors too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Boxed;

impl<Err: Into<BoxError>> ErrorOf<Err> for Boxed {
    type Error = BoxError;

    fn error(error: Err) -> BoxError {
        error.into()
    }
}

impl<Req, Res, Err: Into<BoxError>> OnReject<Req, Res, Err> for Boxed {
    type Future = Ready<Result<Res, BoxError>>;

    fn reject(&self, _: Req, rejected: Rejected) -> Self::Future {
        ready(Err(rejected.into()))
    }
}

/// Answers a rejection with what a closure returns, and keeps the inner service's error type: see
/// [`CircuitBreakerLayer::reject_with`](super::CircuitBreakerLayer::reject_with).
#[derive(Clone, Copy)]
pub struct RejectWith<F>(pub(super) F);

impl<F, Err> ErrorOf<Err> for RejectWith<F> {
    type Error = Err;

    #[inline(always)]
    fn error(error: Err) -> Err {
        error
    }
}

impl<F, Req, Res, Err> OnReject<Req, Res, Err> for RejectWith<F>
where
    F: Fn(Rejected) -> Result<Res, Err>,
{
    type Future = Ready<Result<Res, Err>>;

    fn reject(&self, _: Req, rejected: Rejected) -> Self::Future {
        ready((self.0)(rejected))
    }
}

/// Answers a rejection with what an async closure comes to: see
/// [`CircuitBreakerLayer::fallback`](super::CircuitBreakerLayer::fallback).
#[derive(Clone, Copy)]
pub struct Fallback<F>(pub(super) F);

impl<F, Err> ErrorOf<Err> for Fallback<F> {
    type Error = Err;

    #[inline(always)]
    fn error(error: Err) -> Err {
        error
    }
}

impl<F, Fut, Req, Res, Err> OnReject<Req, Res, Err> for Fallback<F>
where
    F: Fn(Req, Rejected) -> Fut,
    Fut: Future<Output = Result<Res, Err>>,
{
    type Future = Fut;

    fn reject(&self, request: Req, rejected: Rejected) -> Fut {
        (self.0)(request, rejected)
    }
}

impl<F> fmt::Debug for RejectWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectWith").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for Fallback<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").finish_non_exhaustive()
    }
}
