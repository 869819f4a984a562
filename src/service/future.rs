//! The future of a call.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::ErrorOf;
use crate::{
    breaker::{Permit, PollGuard},
    classify::Settle,
};

pin_project! {
    /// The future of [`CircuitBreaker`](super::CircuitBreaker).
    ///
    /// Dropped before it is done, it gives the call up: see [`Permit`]. A panic of the inner future
    /// counts as a failure and goes on unwinding.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, RF, C, R> {
        #[pin]
        call: Call<F, RF>,
        settle: C,
        on_reject: PhantomData<fn() -> R>,
    }
}

pin_project! {
    #[project = CallProjection]
    enum Call<F, RF> {
        Admitted {
            // Before the inner future: it is dropped first, so that a place is free again when
            // whatever the inner future wakes looks for one.
            permit: Permit,
            #[pin]
            future: F,
        },
        Rejected {
            #[pin]
            future: RF,
        },
    }
}

impl<F, RF, C, R> ResponseFuture<F, RF, C, R> {
    #[inline(always)]
    pub(super) fn admitted(future: F, permit: Permit, settle: C) -> Self {
        let call = Call::Admitted { permit, future };
        Self { call, settle, on_reject: PhantomData }
    }

    pub(super) fn rejected(future: RF, settle: C) -> Self {
        Self { call: Call::Rejected { future }, settle, on_reject: PhantomData }
    }
}

impl<F, RF, C, R, Res, Err> Future for ResponseFuture<F, RF, C, R>
where
    F: Future<Output = Result<Res, Err>>,
    R: ErrorOf<Err>,
    RF: Future<Output = Result<Res, R::Error>>,
    C: Settle<Res, Err>,
{
    type Output = Result<C::Response, R::Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.call.project() {
            CallProjection::Admitted { permit, future } => {
                let guard = PollGuard::new(permit);
                let polled = future.poll(cx);
                guard.release();
                match polled {
                    Poll::Ready(result) => {
                        Poll::Ready(this.settle.settle(permit.take(), result).map_err(R::error))
                    }
                    Poll::Pending => {
                        permit.goes_on();
                        Poll::Pending
                    }
                }
            }
            CallProjection::Rejected { future } => future.poll(cx).map_ok(C::pass),
        }
    }
}

impl<F, RF, C, R> fmt::Debug for ResponseFuture<F, RF, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = match &self.call {
            Call::Admitted { .. } => "admitted",
            Call::Rejected { .. } => "rejected",
        };
        f.debug_struct("ResponseFuture").field("call", &call).finish_non_exhaustive()
    }
}
