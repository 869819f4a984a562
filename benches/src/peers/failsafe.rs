//! failsafe: a state machine behind a mutex, with a future that holds a clone of it.
//!
//! It is no tower service; the adapter hands the inner future to its `call`, as its documentation
//! does. The future asks for permission at its first poll, so `call` builds an inner future even
//! where the circuit is open, and drops it unpolled.

use std::task::{Context, Poll};

use failsafe::backoff::{self, Constant};
use failsafe::failure_policy::{
    ConsecutiveFailures, SuccessRateOverTimeWindow, consecutive_failures,
    success_rate_over_time_window,
};
use failsafe::futures::{CircuitBreaker, ResponseFuture};
use failsafe::{Any, Config, Error, FailurePolicy, StateMachine};
use tower::Service;

use super::{LONG, WINDOW};
use crate::inner::{Failed, Inner, Request, Response};
use crate::row::Kind;
use crate::subject::{TowerSubject, Visitor};

/// Trips on failures in a row.
pub type Consecutive = ConsecutiveFailures<Constant>;

/// Trips on a moving average of the success rate.
pub type Rate = SuccessRateOverTimeWindow<Constant>;

/// Five failures in a row.
pub const CONSECUTIVE: Failsafe<Consecutive> =
    Failsafe { name: "failsafe, consecutive", policy: consecutive };

/// Half of the calls in ten seconds.
pub const RATE: Failsafe<Rate> = Failsafe { name: "failsafe, success rate", policy: rate };

/// Shows both policies.
pub fn visit(visitor: &mut impl Visitor) {
    visitor.visit(&CONSECUTIVE);
    visitor.visit(&RATE);
}

/// Five failures in a row.
#[must_use]
pub fn consecutive() -> Consecutive {
    consecutive_failures(5, backoff::constant(LONG))
}

/// Half of the calls in ten seconds.
#[must_use]
pub fn rate() -> Rate {
    success_rate_over_time_window(0.5, 20, WINDOW, backoff::constant(LONG))
}

/// A state machine, not wrapped around anything.
#[must_use]
pub fn machine<P: FailurePolicy>(policy: P) -> StateMachine<P, ()> {
    Config::new().failure_policy(policy).build()
}

/// failsafe with one policy.
#[derive(Debug)]
pub struct Failsafe<P> {
    /// Its name in the table.
    pub name: &'static str,
    /// Makes the policy.
    pub policy: fn() -> P,
}

impl<P: FailurePolicy + Send + Sync + 'static> TowerSubject for Failsafe<P> {
    type Service<S: Inner> = FailsafeService<S, P>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> Kind {
        Kind::Peer
    }

    fn wrap<S: Inner>(&self, inner: S) -> Self::Service<S> {
        FailsafeService { inner, machine: machine((self.policy)()) }
    }
}

/// failsafe as a tower service.
pub struct FailsafeService<S, P> {
    inner: S,
    machine: StateMachine<P, ()>,
}

impl<S: Clone, P> Clone for FailsafeService<S, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), machine: self.machine.clone() }
    }
}

impl<S: Inner, P: FailurePolicy + Send + Sync> Service<Request> for FailsafeService<S, P> {
    type Response = Response;
    type Error = Error<Failed>;
    type Future = ResponseFuture<S::Future, P, (), Any>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        CircuitBreaker::call(&self.machine, self.inner.call(request))
    }
}
