//! Calls without a tower stack.

use std::{
    error::Error,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::{Breaker, Cause, Permit, PollGuard, Rejected, UserCode, hub::report_panic};
use crate::circuit::Outcome;

impl Breaker {
    /// Calls `f` if the circuit admits it; an error is a failure.
    ///
    /// That goes for the rejection of another breaker that `f` calls through, too. Where breakers
    /// are nested this way, tell the outer one with [`call_with`](Self::call_with) and
    /// [`CallError::is_rejected`] to ignore it.
    ///
    /// # Errors
    ///
    /// [`CallError::Rejected`] if the circuit did not admit the call, [`CallError::Inner`] with the
    /// error of `f`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the call up: see [`Permit`].
    ///
    /// # Panics
    ///
    /// A panic of `f` counts as a failure and goes on unwinding.
    pub async fn call<F, T, E>(&self, f: F) -> Result<T, CallError<E>>
    where
        F: AsyncFnOnce() -> Result<T, E>,
    {
        self.call_with(f, |result| Outcome::failure_if(result.is_err())).await
    }

    /// Calls `f` if the circuit admits it; `classify` says what its result means. If that panics,
    /// the result is ignored.
    ///
    /// # Errors, cancel safety, panics
    ///
    /// As [`call`](Self::call).
    pub async fn call_with<F, T, E, C, O>(&self, f: F, classify: C) -> Result<T, CallError<E>>
    where
        F: AsyncFnOnce() -> Result<T, E>,
        C: FnOnce(Result<&T, &E>) -> O,
        O: Into<Outcome>,
    {
        self.call_described(f, classify, |result| result.err().map(|_| Cause::of_type::<E>())).await
    }

    /// As [`call_with`](Self::call_with); `describe` says what a call failed with.
    ///
    /// It is asked only about results that `classify` calls failures, and only if somebody is told
    /// of them: by an observer, a subscriber or a journal. If it panics, nothing is said. Without
    /// it, the name of the type of an error is all that is said.
    ///
    /// ```
    /// # use tower_breaker::{Breaker, breaker::Cause};
    /// # async fn example(breaker: Breaker) {
    /// let stock = breaker
    ///     .call_described(
    ///         async || tokio::fs::read("stock").await,
    ///         |result| result.is_err(),
    ///         |result| result.err().map(Cause::of),
    ///     )
    ///     .await;
    /// # }
    /// ```
    ///
    /// # Errors, cancel safety, panics
    ///
    /// As [`call`](Self::call).
    pub async fn call_described<F, T, E, C, O, D>(
        &self,
        f: F,
        classify: C,
        describe: D,
    ) -> Result<T, CallError<E>>
    where
        F: AsyncFnOnce() -> Result<T, E>,
        C: FnOnce(Result<&T, &E>) -> O,
        O: Into<Outcome>,
        D: FnOnce(Result<&T, &E>) -> Option<Cause>,
    {
        let mut permit = self.immediate().map_err(CallError::Rejected)?;
        let guard = PollGuard::new(&mut permit);
        let call = f();
        guard.release();
        let (permit, result) = Guarded { call, permit }.await;
        let outcome = judged(&permit, || classify(result.as_ref()).into());
        permit.record_with(outcome, || describe(result.as_ref()));
        result.map_err(CallError::Inner)
    }
}

/// The result is the caller's, whatever becomes of the classifier.
fn judged(permit: &Permit, classify: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(classify)).unwrap_or_else(|panic| {
        if let Some(handle) = permit.handle() {
            report_panic(handle.hub(), handle.service(), UserCode::Classifier, panic);
        }
        Outcome::IGNORED
    })
}

pin_project! {
    /// A call with its permit, which it gives back with the result.
    struct Guarded<F> {
        #[pin]
        call: F,
        permit: Permit,
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = (Permit, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let guard = PollGuard::new(this.permit);
        let polled = this.call.poll(cx);
        guard.release();
        if polled.is_pending() {
            this.permit.goes_on();
        }
        let output = ready!(polled);
        Poll::Ready((this.permit.take(), output))
    }
}

/// The error of [`Breaker::call`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError<E> {
    /// The circuit did not admit the call.
    Rejected(Rejected),
    /// The call was made and failed.
    Inner(E),
}

impl<E> CallError<E> {
    /// The error of the call itself, if it was made.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Inner(error) => Some(error),
            Self::Rejected(_) => None,
        }
    }

    /// The error as a boxed one, for functions that return those.
    pub fn into_boxed(self) -> Box<dyn Error + Send + Sync>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        match self {
            Self::Rejected(rejected) => rejected.into(),
            Self::Inner(error) => error.into(),
        }
    }

    /// Whether the circuit did not admit the call.
    pub fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rejected(rejected) => Some(rejected),
            Self::Inner(error) => error.source(),
        }
    }
}
