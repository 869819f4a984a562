//! What is measured: one breaker in one configuration, wrapped around an inner service and driven
//! by hand.
//!
//! A call is `poll_ready`, `call`, and polls with a waker that does nothing, with the future
//! pinned on the stack: no executor is in the way. A peer that is not a tower service is driven
//! the same way through its own interface.

use std::future::poll_fn;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tower::Service;

use crate::inner::{Inner, Request};
use crate::row::Kind;

/// One breaker in one configuration.
pub trait Subject: 'static {
    /// What [`wrap`](Self::wrap) makes. Clones share the circuit.
    type Service<S: Inner>: Clone + Send + Sync + 'static;

    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// Whether it is a baseline, this crate, or a peer.
    fn kind(&self) -> Kind;

    /// Puts a circuit of its own around `inner`.
    fn wrap<S: Inner>(&self, inner: S) -> Self::Service<S>;

    /// Drives one call to its end.
    fn call<S: Inner>(service: &mut Self::Service<S>, request: Request, cx: &mut Context<'_>);

    /// The same for an executor to drive.
    fn run<S: Inner>(
        service: &mut Self::Service<S>,
        request: Request,
    ) -> impl Future<Output = ()> + Send;
}

/// A subject that is a tower service.
pub trait TowerSubject: 'static {
    /// The wrapped service.
    type Service<S: Inner>: Service<Request, Response: Send, Error: Send, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static;

    /// See [`Subject::name`].
    fn name(&self) -> &'static str;

    /// See [`Subject::kind`].
    fn kind(&self) -> Kind;

    /// See [`Subject::wrap`].
    fn wrap<S: Inner>(&self, inner: S) -> Self::Service<S>;
}

impl<T: TowerSubject> Subject for T {
    type Service<S: Inner> = T::Service<S>;

    fn name(&self) -> &'static str {
        TowerSubject::name(self)
    }

    fn kind(&self) -> Kind {
        TowerSubject::kind(self)
    }

    fn wrap<S: Inner>(&self, inner: S) -> Self::Service<S> {
        TowerSubject::wrap(self, inner)
    }

    #[inline(always)]
    fn call<S: Inner>(service: &mut Self::Service<S>, request: Request, cx: &mut Context<'_>) {
        drive(service, request, cx);
    }

    async fn run<S: Inner>(service: &mut Self::Service<S>, request: Request) {
        let ready = poll_fn(|cx| service.poll_ready(cx)).await;
        assert!(ready.is_ok(), "the service is not ready");
        drop(black_box(service.call(black_box(request)).await));
    }
}

/// What a visitor is shown, one subject after the other.
pub trait Visitor {
    /// Takes one subject.
    fn visit<T: Subject>(&mut self, subject: &T);
}

/// Drives one call of a tower service to its end.
///
/// # Panics
///
/// If the service is not ready at once: none of the inner services ever is not.
#[inline(always)]
pub fn drive<S, R>(service: &mut S, request: R, cx: &mut Context<'_>)
where
    S: Service<R>,
{
    assert!(matches!(service.poll_ready(cx), Poll::Ready(Ok(()))), "the service is not ready");
    finish(pin!(service.call(black_box(request))), cx);
}

/// Polls a future to its end.
#[inline(always)]
pub fn finish<F: Future>(mut future: Pin<&mut F>, cx: &mut Context<'_>) {
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            drop(black_box(result));
            return;
        }
    }
}
