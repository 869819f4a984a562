//! The layer, and what can be set on it.

use std::{borrow::Cow, future::Future};

use tower_layer::Layer;

use super::{Boxed, CircuitBreaker, Fallback, Keyed, OnOpen, RejectWith, Single};
use crate::{
    breaker::{Breaker, Breakers, Cause, Rejected},
    circuit::Outcome,
    classify::{AtResponse, Described, ErrorsAsFailures},
};

/// Puts services behind a circuit breaker: see the [module docs](super).
///
/// The layer owns the circuit: all services it makes, and their clones, share it.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is applied to a service"]
pub struct CircuitBreakerLayer<P = Single, C = AtResponse<ErrorsAsFailures>, R = Boxed> {
    select: P,
    settle: C,
    on_reject: R,
}

impl CircuitBreakerLayer {
    /// A layer around one circuit. Errors are failures, and a rejection is a boxed error.
    pub fn new(breaker: Breaker) -> Self {
        Self { select: Single::new(breaker), settle: AtResponse::default(), on_reject: Boxed }
    }

    /// A layer with a circuit for each key of the requests: host, route, tenant.
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use tower_breaker::{BreakerMap, CircuitBreakerLayer};
    ///
    /// struct Request { host: String }
    ///
    /// let hosts = BreakerMap::builder().build()?;
    /// let layer = CircuitBreakerLayer::keyed(hosts, |request: &Request| {
    ///     Cow::Borrowed(request.host.as_str())
    /// });
    /// # let _ = layer;
    /// # Ok::<(), tower_breaker::error::InvalidMap>(())
    /// ```
    pub fn keyed<M, K, Req>(
        breakers: M,
        key: K,
    ) -> CircuitBreakerLayer<Keyed<M, K>, AtResponse<ErrorsAsFailures>, Boxed>
    where
        M: Breakers,
        K: for<'a> Fn(&'a Req) -> Cow<'a, str>,
    {
        CircuitBreakerLayer {
            select: Keyed::new(breakers, key),
            settle: AtResponse::default(),
            on_reject: Boxed,
        }
    }
}

impl<C, R> CircuitBreakerLayer<Single, C, R> {
    /// What services answer to `poll_ready` while the circuit rejects.
    pub fn on_open(mut self, on_open: OnOpen) -> Self {
        self.select.on_open(on_open);
        self
    }
}

impl<P, C, R> CircuitBreakerLayer<P, C, R> {
    /// Says which results are failures, with a closure that returns an [`Outcome`] or a `bool`
    /// which means *failed*: see [`classify`](crate::classify).
    pub fn classify<F, O, Res, Err>(self, classify: F) -> CircuitBreakerLayer<P, AtResponse<F>, R>
    where
        F: Fn(Result<&Res, &Err>) -> O,
        O: Into<Outcome>,
    {
        self.settle(AtResponse::new(classify))
    }

    /// As [`classify`](Self::classify), with a [`Classify`](crate::Classify) of any kind: the ones
    /// that come with the crate, and your own.
    pub fn classify_with<C2>(self, classify: C2) -> CircuitBreakerLayer<P, AtResponse<C2>, R> {
        self.settle(AtResponse::new(classify))
    }

    /// As [`classify`](Self::classify), with a closure that says whether a result failed.
    pub fn failure_if<F, Res, Err>(self, failed: F) -> CircuitBreakerLayer<P, AtResponse<F>, R>
    where
        F: Fn(Result<&Res, &Err>) -> bool,
    {
        self.settle(AtResponse::new(failed))
    }

    /// Says when results are known and which are failures: [`AtResponse`] around a
    /// [`Classify`](crate::Classify), or another [`Settle`](crate::classify::Settle).
    pub fn settle<C2>(self, settle: C2) -> CircuitBreakerLayer<P, C2, R> {
        CircuitBreakerLayer { select: self.select, settle, on_reject: self.on_reject }
    }

    /// Answers rejections with a response or an error of the inner service's types, which the
    /// service then keeps. axum needs this, since its services have no errors.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use tower_breaker::{Breaker, CircuitBreakerLayer, Rejected};
    ///
    /// let breaker = Breaker::builder("greetings").build()?;
    /// let layer = CircuitBreakerLayer::new(breaker)
    ///     .reject_with(|rejected: Rejected| Ok::<_, Infallible>(format!("not now: {rejected}")));
    /// # let _ = layer;
    /// # Ok::<(), tower_breaker::error::InvalidName>(())
    /// ```
    pub fn reject_with<F, Res, Err>(self, reject: F) -> CircuitBreakerLayer<P, C, RejectWith<F>>
    where
        F: Fn(Rejected) -> Result<Res, Err>,
    {
        self.on_reject(RejectWith(reject))
    }

    /// Answers rejected requests with something else: a cache, another service.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use tower_breaker::{Breaker, CircuitBreakerLayer, Rejected};
    ///
    /// let breaker = Breaker::builder("greetings").build()?;
    /// let layer = CircuitBreakerLayer::new(breaker).fallback(|name: String, _: Rejected| async move {
    ///     Ok::<_, Infallible>(format!("hello {name}, from the cache"))
    /// });
    /// # let _ = layer;
    /// # Ok::<(), tower_breaker::error::InvalidName>(())
    /// ```
    pub fn fallback<F, Req, Fut, Res, Err>(
        self,
        fallback: F,
    ) -> CircuitBreakerLayer<P, C, Fallback<F>>
    where
        F: Fn(Req, Rejected) -> Fut,
        Fut: Future<Output = Result<Res, Err>>,
    {
        self.on_reject(Fallback(fallback))
    }

    /// Answers rejections by an [`OnReject`](super::OnReject) of any kind.
    pub fn on_reject<R2>(self, on_reject: R2) -> CircuitBreakerLayer<P, C, R2> {
        CircuitBreakerLayer { select: self.select, settle: self.settle, on_reject }
    }
}

impl<P, C, R> CircuitBreakerLayer<P, AtResponse<C>, R> {
    /// Says what a failed call failed with, for the events that tell of it: see
    /// [`classify`](crate::classify#what-a-call-failed-with). Belongs after what says which results
    /// are failures, which replaces it.
    ///
    /// ```
    /// use tower_breaker::{Breaker, CircuitBreakerLayer, breaker::Cause};
    ///
    /// let breaker = Breaker::builder("greetings").build()?;
    /// let layer = CircuitBreakerLayer::new(breaker)
    ///     .failure_if(|result: Result<&String, &std::io::Error>| result.is_err())
    ///     .describe(|result: Result<&String, &std::io::Error>| result.err().map(Cause::of));
    /// # let _ = layer;
    /// # Ok::<(), tower_breaker::error::InvalidName>(())
    /// ```
    pub fn describe<D, Res, Err>(
        self,
        describe: D,
    ) -> CircuitBreakerLayer<P, AtResponse<Described<C, D>>, R>
    where
        D: Fn(Result<&Res, &Err>) -> Option<Cause>,
    {
        let settle = self.settle.described(describe);
        CircuitBreakerLayer { select: self.select, settle, on_reject: self.on_reject }
    }
}

impl<S, C: Clone, R: Clone> Layer<S> for CircuitBreakerLayer<Single, C, R> {
    type Service = CircuitBreaker<S, Single, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        let (settle, on_reject) = (self.settle.clone(), self.on_reject.clone());
        CircuitBreaker::new(inner, self.select.clone(), settle, on_reject)
    }
}

impl<S, M, K, C, R> Layer<S> for CircuitBreakerLayer<Keyed<M, K>, C, R>
where
    M: Clone,
    K: Clone,
    C: Clone,
    R: Clone,
{
    type Service = CircuitBreaker<S, Keyed<M, K>, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        let (settle, on_reject) = (self.settle.clone(), self.on_reject.clone());
        CircuitBreaker::new(inner, self.select.clone(), settle, on_reject)
    }
}
