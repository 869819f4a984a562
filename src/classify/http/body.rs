//! The body that carries the permit of its call.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{ClassifyEos, tracked::Tracked};
use crate::breaker::Cause;

pin_project! {
    /// The body of a response of [`AtEndOfStream`](super::AtEndOfStream), which carries the permit
    /// of its call.
    ///
    /// Frames, errors, the end and the size hint are those of the body inside. `T` classifies the
    /// end where the headers did not.
    pub struct TrackedBody<B, T = Infallible> {
        // Before the body: it is dropped first, so that a place is free again when whatever the
        // body wakes looks for one.
        tracked: Tracked<T>,
        #[pin]
        body: B,
    }
}

impl<B, T> TrackedBody<B, T> {
    pub(super) fn new(body: B, tracked: Tracked<T>) -> Self {
        Self { tracked, body }
    }

    /// A body that belongs to no call.
    pub fn untracked(body: B) -> Self {
        Self::new(body, Tracked::ended())
    }

    /// The body inside.
    pub fn get_ref(&self) -> &B {
        &self.body
    }
}

/// A default body that belongs to no call.
impl<B: Default, T> Default for TrackedBody<B, T> {
    fn default() -> Self {
        Self::untracked(B::default())
    }
}

impl<B: Body, T: ClassifyEos> Body for TrackedBody<B, T> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        if this.tracked.has_ended() {
            return this.body.poll_frame(cx);
        }
        let guard = PanicGuard(this.tracked);
        let frame = ready!(guard.during(|| this.body.as_mut().poll_frame(cx)));
        match &frame {
            None => this.tracked.complete(None),
            Some(Err(_)) => this.tracked.failed(Cause::of_type::<B::Error>),
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.tracked.complete(Some(trailers));
                } else {
                    if frame.data_ref().is_some_and(Buf::has_remaining) {
                        this.tracked.data();
                    }
                    // Who knows the end from this does not poll for it.
                    if this.body.is_end_stream() {
                        this.tracked.complete(None);
                    }
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Turns a panic of the body into a failure: see [`PollGuard`](crate::breaker::PollGuard).
struct PanicGuard<'a, T>(&'a mut Tracked<T>);

impl<T> PanicGuard<'_, T> {
    fn during<R>(self, poll: impl FnOnce() -> R) -> R {
        let polled = poll();
        std::mem::forget(self);
        polled
    }
}

impl<T> Drop for PanicGuard<'_, T> {
    #[cold]
    fn drop(&mut self) {
        self.0.failed(|| Cause::new("panic"));
    }
}

impl<B: fmt::Debug, T> fmt::Debug for TrackedBody<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackedBody")
            .field("body", &self.body)
            .field("ended", &self.tracked.has_ended())
            .finish()
    }
}
