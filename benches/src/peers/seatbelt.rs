//! seatbelt: a time window in slices behind a mutex, for tower or for its own `layered` services.
//!
//! As a tower service its future is boxed. As a `layered` service it is a plain `async fn`, and
//! faster: both are measured, and its optional coarse clock too. Its clock comes from a tokio
//! runtime, which is only there to hold it.

use std::pin::pin;
use std::sync::OnceLock;
use std::task::Context;

use layered::Service as _;
use seatbelt::breaker::{Breaker, BreakerId};
use seatbelt::{RecoveryInfo, ResilienceContext};
use tick::Clock;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service};

use super::{LONG, WINDOW};
use crate::inner::{Failed, Inner, Request, Response};
use crate::row::Kind;
use crate::subject::{Subject, TowerSubject, Visitor, finish};

type Outcome = Result<Response, Failed>;

/// Shows both kinds of services.
pub fn visit(visitor: &mut impl Visitor) {
    visitor.visit(&Tower);
    visitor.visit(&Layered { name: "seatbelt (layered), rate, time window", coarse_clock: false });
    visitor.visit(&Layered { name: "seatbelt (layered), coarse clock", coarse_clock: true });
}

fn clock() -> Clock {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let built = Builder::new_current_thread().enable_time().build();
        built.expect("a runtime")
    });
    let _guard = runtime.enter();
    Clock::new_tokio()
}

/// A breaker over ten seconds, one for each key if `key` tells them apart.
pub fn breaker<R: 'static, S>(
    inner: S,
    coarse_clock: bool,
    key: Option<fn(&R) -> BreakerId>,
) -> Breaker<R, Outcome, S> {
    let context = ResilienceContext::new(clock().with_fast_instant(coarse_clock));
    let layer = Breaker::layer("breaker", &context)
        .recovery_with(|outcome: &Outcome, _| match outcome {
            Ok(_) => RecoveryInfo::never(),
            Err(_) => RecoveryInfo::retry(),
        })
        .rejected_input_error(|_, _| Failed)
        .failure_threshold(0.5)
        .min_throughput(20)
        .sampling_duration(WINDOW)
        .break_duration(LONG);
    match key {
        Some(key) => layer.breaker_id(key).layer(inner),
        None => layer.layer(inner),
    }
}

/// seatbelt as a tower service.
#[derive(Clone, Copy, Debug)]
pub struct Tower;

impl TowerSubject for Tower {
    type Service<S: Inner> = Breaker<Request, Outcome, S>;

    fn name(&self) -> &'static str {
        "seatbelt (tower), rate, time window"
    }

    fn kind(&self) -> Kind {
        Kind::Peer
    }

    fn wrap<S: Inner>(&self, inner: S) -> Self::Service<S> {
        breaker(inner, false, None)
    }
}

/// seatbelt as a `layered` service.
#[derive(Debug)]
pub struct Layered {
    name: &'static str,
    coarse_clock: bool,
}

/// An inner tower service, as a `layered` service.
#[derive(Clone, Debug)]
pub struct AsLayered<S>(pub S);

impl<R, S> layered::Service<R> for AsLayered<S>
where
    S: Service<R, Response = Response, Error = Failed, Future: Send> + Clone + Send + Sync,
{
    type Out = Outcome;

    fn execute(&self, request: R) -> impl Future<Output = Outcome> + Send {
        self.0.clone().call(request)
    }
}

impl Subject for Layered {
    type Service<S: Inner> = Breaker<Request, Outcome, AsLayered<S>>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> Kind {
        Kind::Peer
    }

    fn wrap<S: Inner>(&self, inner: S) -> Self::Service<S> {
        breaker(AsLayered(inner), self.coarse_clock, None)
    }

    #[inline(always)]
    fn call<S: Inner>(service: &mut Self::Service<S>, request: Request, cx: &mut Context<'_>) {
        finish(pin!(service.execute(std::hint::black_box(request))), cx);
    }

    async fn run<S: Inner>(service: &mut Self::Service<S>, request: Request) {
        let _ = std::hint::black_box(service.execute(request).await);
    }
}
