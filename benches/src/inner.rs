//! The services that the breakers wrap: as cheap as a service can be, so that what is measured is
//! the breaker.
//!
//! Whether a call fails is decided by its request, a running number. So every inner service is
//! stateless, and peers that clone it for each call pay nothing for that.

use std::future::{Future, Ready as ReadyFuture, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::{error, fmt};

use tower::Service;

/// A running number.
pub type Request = u64;

/// The request, sent back.
pub type Response = u64;

/// The error of every inner service. It has no size, so boxing it allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed")
    }
}

impl error::Error for Failed {}

/// What every subject can wrap. The bounds are those of the most demanding peer.
pub trait Inner:
    Service<Request, Response = Response, Error = Failed, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Inner for S where
    S: Service<Request, Response = Response, Error = Failed, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Answers at once.
#[derive(Clone, Copy, Debug)]
pub struct Ready;

impl<R> Service<R> for Ready {
    type Response = Response;
    type Error = Failed;
    type Future = ReadyFuture<Result<Response, Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        ready(Ok(1))
    }
}

/// Answers at once; one request in a hundred fails if `fails` says so.
///
/// With and without failures it is the same service with the same branch on the request, so the
/// difference between the two rows is what the breaker pays for failures.
#[derive(Clone, Copy, Debug)]
pub struct Sometimes {
    /// Whether requests 99, 199, 299, … fail.
    pub fails: bool,
}

impl Service<Request> for Sometimes {
    type Response = Response;
    type Error = Failed;
    type Future = ReadyFuture<Result<Response, Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        ready(if request % 100 == 99 && self.fails { Err(Failed) } else { Ok(request) })
    }
}

/// Answers at the second poll and wakes its own task in between.
#[derive(Clone, Copy, Debug)]
pub struct PendsOnce;

/// The future of [`PendsOnce`].
#[derive(Debug)]
pub struct PendingOnce {
    request: Request,
    polled: bool,
}

impl Future for PendingOnce {
    type Output = Result<Response, Failed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polled {
            return Poll::Ready(Ok(self.request));
        }
        self.polled = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Service<Request> for PendsOnce {
    type Response = Response;
    type Error = Failed;
    type Future = PendingOnce;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        PendingOnce { request, polled: false }
    }
}

/// Fails always, and counts how often it was reached: an open circuit must not reach it.
///
/// It counts in the future, not in `call`: peers whose future asks for permission build the inner
/// future first, and never poll it.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    reached: &'static AtomicU64,
}

impl Broken {
    /// Makes one, with a counter of its own that lives as long as the program.
    #[must_use]
    pub fn new() -> Self {
        Self { reached: Box::leak(Box::new(AtomicU64::new(0))) }
    }

    /// How many calls reached it.
    #[must_use]
    pub fn reached(&self) -> u64 {
        self.reached.load(Ordering::Relaxed)
    }
}

impl Default for Broken {
    fn default() -> Self {
        Self::new()
    }
}

/// The future of [`Broken`].
#[derive(Debug)]
pub struct Breaking(&'static AtomicU64);

impl Future for Breaking {
    type Output = Result<Response, Failed>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Err(Failed))
    }
}

impl<R> Service<R> for Broken {
    type Response = Response;
    type Error = Failed;
    type Future = Breaking;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        Breaking(self.reached)
    }
}
