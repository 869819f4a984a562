//! A service to be protected, which a test sets and counts.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use tower::{BoxError, Service};

/// Counts what is asked of it. Clones share the counts and the switches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inner<Req = u32> {
    polls: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
    fails: Arc<AtomicBool>,
    fails_to_be_ready: Arc<AtomicBool>,
    /// How often a call pends before it is done.
    pends: Arc<AtomicUsize>,
    /// Of this clone: it was polled ready and not called since.
    ready: bool,
    request: PhantomData<fn(Req)>,
}

impl<Req> Inner<Req> {
    pub(crate) fn polls(&self) -> usize {
        self.polls.load(SeqCst)
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, SeqCst);
    }

    pub(crate) fn fail_to_be_ready(&self, fails: bool) {
        self.fails_to_be_ready.store(fails, SeqCst);
    }

    pub(crate) fn pend(&self, times: usize) {
        self.pends.store(times, SeqCst);
    }
}

impl<Req> Service<Req> for Inner<Req> {
    type Response = Req;
    type Error = BoxError;
    type Future = Call<Req>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.polls.fetch_add(1, SeqCst);
        if self.fails_to_be_ready.load(SeqCst) {
            return Poll::Ready(Err("not ready".into()));
        }
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Call<Req> {
        assert!(std::mem::take(&mut self.ready), "called without having been polled ready");
        self.calls.fetch_add(1, SeqCst);
        let result = if self.fails.load(SeqCst) { Err("failed".into()) } else { Ok(request) };
        Call { pends: self.pends.load(SeqCst), result: Some(result) }
    }
}

/// A call that pends a few times.
pub(crate) struct Call<Req> {
    pends: usize,
    result: Option<Result<Req, BoxError>>,
}

impl<Req> Unpin for Call<Req> {}

impl<Req> Future for Call<Req> {
    type Output = Result<Req, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.pends > 0 {
            self.pends -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.result.take().expect("polled after it was done"))
    }
}
