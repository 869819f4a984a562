//! circuitbreaker-rs: atomic counters, two mutexes for time stamps, and an `async fn` to call
//! through.
//!
//! It is no tower service, and its future borrows the breaker; it is measured as it is, which
//! saves it the `Arc` clone that a tower service would have to add.

use std::hint::black_box;
use std::pin::pin;
use std::task::Context;

use circuitbreaker_rs::{CircuitBreaker, DefaultPolicy};

use super::LONG;
use crate::inner::{Failed, Inner, Request};
use crate::row::Kind;
use crate::subject::{Subject, Visitor, finish};

/// Shows its default policy: a rate since the last reset, or failures in a row.
pub fn visit(visitor: &mut impl Visitor) {
    visitor.visit(&CircuitBreakerRs);
}

/// circuitbreaker-rs with its default policy.
#[derive(Debug)]
pub struct CircuitBreakerRs;

/// The breaker and what it is wrapped around.
pub struct Wrapped<S> {
    inner: S,
    breaker: CircuitBreaker<DefaultPolicy, Failed>,
}

impl<S: Clone> Clone for Wrapped<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), breaker: self.breaker.clone() }
    }
}

impl Subject for CircuitBreakerRs {
    type Service<S: Inner> = Wrapped<S>;

    fn name(&self) -> &'static str {
        "circuitbreaker-rs, rate since reset"
    }

    fn kind(&self) -> Kind {
        Kind::Peer
    }

    fn wrap<S: Inner>(&self, inner: S) -> Wrapped<S> {
        let breaker = CircuitBreaker::<DefaultPolicy, Failed>::builder()
            .failure_threshold(0.5)
            .min_throughput(20)
            .consecutive_failures(5)
            .cooldown(LONG)
            .build();
        Wrapped { inner, breaker }
    }

    #[inline(always)]
    fn call<S: Inner>(service: &mut Wrapped<S>, request: Request, cx: &mut Context<'_>) {
        let Wrapped { inner, breaker } = service;
        let call = breaker.call_async(|| inner.call(black_box(request)));
        finish(pin!(call), cx);
    }

    async fn run<S: Inner>(service: &mut Wrapped<S>, request: Request) {
        let Wrapped { inner, breaker } = service;
        let call = breaker.call_async(|| inner.call(request));
        drop(black_box(call.await));
    }
}
