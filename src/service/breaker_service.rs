//! The service.

use std::task::{Context, Poll, ready};

use tower::load::Load;
use tower_service::Service;

use super::{
    Boxed, ErrorOf, OnReject, ResponseFuture, Select, Single,
    select::{Ask, sealed::Sealed},
};
use crate::{
    breaker::{Breaker, Permit, PollGuard, Rejected},
    classify::{AtResponse, ErrorsAsFailures, Settle},
};

/// A service behind a circuit breaker. Made by
/// [`CircuitBreakerLayer`](super::CircuitBreakerLayer).
///
/// Clones share the circuit, and nothing else: a clone is not ready, and has reserved nothing.
#[derive(Debug)]
pub struct CircuitBreaker<S, P = Single, C = AtResponse<ErrorsAsFailures>, R = Boxed> {
    inner: S,
    /// The inner service was polled ready and has not been called since.
    ready: bool,
    select: P,
    settle: C,
    on_reject: R,
}

impl<S, P, C, R> CircuitBreaker<S, P, C, R> {
    pub(super) fn new(inner: S, select: P, settle: C, on_reject: R) -> Self {
        Self { inner, ready: false, select, settle, on_reject }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service. What is done to its readiness here the breaker does not see.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, for good.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, P: Sealed, C: Clone, R: Clone> Clone for CircuitBreaker<S, P, C, R> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            // The readiness is that of the inner service that was polled.
            ready: false,
            select: self.select.light(),
            settle: self.settle.clone(),
            on_reject: self.on_reject.clone(),
        }
    }
}

impl<S, P, C, R, Req> Service<Req> for CircuitBreaker<S, P, C, R>
where
    S: Service<Req>,
    P: Select<Req>,
    C: Settle<S::Response, S::Error> + Clone,
    R: OnReject<Req, S::Response, S::Error>,
{
    type Response = C::Response;
    type Error = <R as ErrorOf<S::Error>>::Error;
    type Future = ResponseFuture<S::Future, R::Future, C, R>;

    #[inline(always)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let ask = ready!(self.select.poll_gate(cx, self.ready));
        if self.ready || ask == Ask::Nobody {
            return Poll::Ready(Ok(()));
        }
        match self.inner.poll_ready(cx) {
            Poll::Ready(Ok(())) => {
                self.select.settled();
                self.ready = true;
                Poll::Ready(Ok(()))
            }
            // Not kept waiting through an outage: the call is rejected.
            Poll::Pending => match self.select.poll_pending(cx) {
                Ask::Inner => Poll::Pending,
                Ask::Nobody => Poll::Ready(Ok(())),
            },
            Poll::Ready(Err(error)) => {
                self.select.settled();
                if let Some(permit) = self.select.blame() {
                    self.settle.settle_error(permit, &error);
                }
                Poll::Ready(Err(R::error(error)))
            }
        }
    }

    #[inline(always)]
    fn call(&mut self, request: Req) -> Self::Future {
        // A service that was not polled ready is never called.
        if !self.ready {
            return self.reject_unready(request);
        }
        match self.select.acquire(&request) {
            Ok(permit) => self.admit(request, permit),
            Err(circuit) => self.call_closely(request, circuit),
        }
    }
}

impl<S, P, C, R> CircuitBreaker<S, P, C, R> {
    #[inline(always)]
    fn admit<Req>(&mut self, request: Req, mut permit: Permit) -> FutureOf<S, C, R, Req>
    where
        S: Service<Req>,
        C: Clone,
        R: OnReject<Req, S::Response, S::Error>,
    {
        self.ready = false;
        let guard = PollGuard::new(&mut permit);
        let future = self.inner.call(request);
        guard.release();
        ResponseFuture::admitted(future, permit.take(), self.settle.clone())
    }

    /// All calls but the healthy ones, out of the way of those.
    #[inline(never)]
    fn call_closely<Req>(&mut self, request: Req, circuit: Breaker) -> FutureOf<S, C, R, Req>
    where
        S: Service<Req>,
        P: Select<Req>,
        C: Clone,
        R: OnReject<Req, S::Response, S::Error>,
    {
        match self.select.acquire_closely(circuit) {
            Ok(permit) => self.admit(request, permit),
            // The inner service is still ready, and may hold a slot for it.
            Err(rejected) => self.reject(request, rejected),
        }
    }

    #[inline(never)]
    fn reject_unready<Req>(&mut self, request: Req) -> FutureOf<S, C, R, Req>
    where
        S: Service<Req>,
        P: Select<Req>,
        C: Clone,
        R: OnReject<Req, S::Response, S::Error>,
    {
        let rejected = self.select.not_ready(&request);
        self.reject(request, rejected)
    }

    fn reject<Req>(&self, request: Req, rejected: Rejected) -> FutureOf<S, C, R, Req>
    where
        S: Service<Req>,
        C: Clone,
        R: OnReject<Req, S::Response, S::Error>,
    {
        let answer = self.on_reject.reject(request, rejected);
        ResponseFuture::rejected(answer, self.settle.clone())
    }
}

type FutureOf<S, C, R, Req> = ResponseFuture<
    <S as Service<Req>>::Future,
    <R as OnReject<Req, <S as Service<Req>>::Response, <S as Service<Req>>::Error>>::Future,
    C,
    R,
>;

/// The load of the inner service.
impl<S: Load, P, C, R> Load for CircuitBreaker<S, P, C, R> {
    type Metric = S::Metric;

    fn load(&self) -> Self::Metric {
        self.inner.load()
    }
}
