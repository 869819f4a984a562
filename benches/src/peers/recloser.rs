//! recloser: a ring of results behind epoch-based pointers, with a future that holds an `Arc` of
//! it.
//!
//! It is no tower service; the adapter hands the inner future to `AsyncRecloser::call`, as its
//! documentation does. As with failsafe, permission is asked for at the first poll.

use std::task::{Context, Poll};

use recloser::{AnyError, AsyncRecloser, Error, Recloser, RecloserFuture};
use tower::Service;

use super::LONG;
use crate::inner::{Failed, Inner, Request, Response};
use crate::row::Kind;
use crate::subject::{TowerSubject, Visitor};

/// Shows it with its default window of 100 calls.
pub fn visit(visitor: &mut impl Visitor) {
    visitor.visit(&Ring { calls: 100 });
}

/// A breaker over the last `calls` calls, not wrapped around anything.
#[must_use]
pub fn breaker(calls: usize) -> AsyncRecloser {
    AsyncRecloser::from(
        Recloser::custom().error_rate(0.5).closed_len(calls).open_wait(LONG).build(),
    )
}

/// recloser with one size of its ring.
#[derive(Debug)]
pub struct Ring {
    /// How many calls it holds.
    pub calls: usize,
}

impl TowerSubject for Ring {
    type Service<S: Inner> = RecloserService<S>;

    fn name(&self) -> &'static str {
        "recloser, rate, count window"
    }

    fn kind(&self) -> Kind {
        Kind::Peer
    }

    fn wrap<S: Inner>(&self, inner: S) -> Self::Service<S> {
        RecloserService { inner, breaker: breaker(self.calls) }
    }
}

/// recloser as a tower service.
#[derive(Clone, Debug)]
pub struct RecloserService<S> {
    inner: S,
    breaker: AsyncRecloser,
}

impl<S: Inner> Service<Request> for RecloserService<S> {
    type Response = Response;
    type Error = Error<Failed>;
    type Future = RecloserFuture<S::Future, AnyError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.breaker.call(self.inner.call(request))
    }
}
