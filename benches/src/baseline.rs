//! What to compare with: no layer, a layer that does nothing, and the least that a breaker whose
//! clones share one state can do.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower::Service;

use crate::inner::{Failed, Inner, Request, Response};
use crate::row::Kind;
use crate::subject::{TowerSubject, Visitor};

/// The name of the bare service's rows.
pub const BARE: &str = "bare service";

/// The name of the limit's rows.
pub const LIMIT: &str = "limit: Arc, one load, one add";

/// Shows every baseline.
pub fn visit(visitor: &mut impl Visitor) {
    visitor.visit(&Bare);
    visitor.visit(&Passthrough);
    visitor.visit(&Limit);
}

/// The inner service itself.
#[derive(Debug)]
pub struct Bare;

impl TowerSubject for Bare {
    type Service<S: Inner> = S;

    fn name(&self) -> &'static str {
        BARE
    }

    fn kind(&self) -> Kind {
        Kind::Baseline
    }

    fn wrap<S: Inner>(&self, inner: S) -> S {
        inner
    }
}

/// A layer that passes everything through, with a future of its own.
#[derive(Debug)]
pub struct Passthrough;

impl TowerSubject for Passthrough {
    type Service<S: Inner> = PassthroughService<S>;

    fn name(&self) -> &'static str {
        "passthrough layer"
    }

    fn kind(&self) -> Kind {
        Kind::Baseline
    }

    fn wrap<S: Inner>(&self, inner: S) -> PassthroughService<S> {
        PassthroughService { inner }
    }
}

/// The service of [`Passthrough`].
#[derive(Clone, Debug)]
pub struct PassthroughService<S> {
    inner: S,
}

impl<S: Inner> Service<Request> for PassthroughService<S> {
    type Response = Response;
    type Error = Failed;
    type Future = PassthroughFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        PassthroughFuture { inner: self.inner.call(request) }
    }
}

pin_project! {
    /// The future of [`Passthrough`].
    pub struct PassthroughFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future> Future for PassthroughFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx)
    }
}

/// The physical limit: an `Arc` clone moves into the future, admission is one atomic load, the
/// result one atomic add.
#[derive(Debug)]
pub struct Limit;

impl TowerSubject for Limit {
    type Service<S: Inner> = LimitService<S>;

    fn name(&self) -> &'static str {
        LIMIT
    }

    fn kind(&self) -> Kind {
        Kind::Baseline
    }

    fn wrap<S: Inner>(&self, inner: S) -> LimitService<S> {
        LimitService { inner, shared: Arc::default() }
    }
}

#[derive(Debug, Default)]
struct Shared {
    open: AtomicBool,
    finished: AtomicU64,
}

/// The service of [`Limit`].
#[derive(Clone, Debug)]
pub struct LimitService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S: Inner> Service<Request> for LimitService<S> {
    type Response = Response;
    type Error = Failed;
    type Future = LimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let admitted = !self.shared.open.load(Ordering::Acquire);
        LimitFuture {
            inner: admitted.then(|| self.inner.call(request)),
            shared: Arc::clone(&self.shared),
        }
    }
}

pin_project! {
    /// The future of [`Limit`].
    pub struct LimitFuture<F> {
        #[pin]
        inner: Option<F>,
        shared: Arc<Shared>,
    }
}

impl<F: Future<Output = Result<Response, Failed>>> Future for LimitFuture<F> {
    type Output = Result<Response, Failed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(Err(Failed));
        };
        let result = ready!(inner.poll(cx));
        this.shared.finished.fetch_add(1, Ordering::Release);
        Poll::Ready(result)
    }
}
