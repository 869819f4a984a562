//! What the history says that calls failed with.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tower::{Layer, Service, ServiceExt, service_fn};
use tower_breaker::{
    Breaker, CircuitBreakerLayer, Outcome,
    breaker::Cause,
    error::BoxError,
    store::{EventKind, MAX_TEXT},
};

use crate::support::{World, events, lenient, options, secs};

#[derive(Clone, Copy, Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused with hunter2")
    }
}

impl std::error::Error for Refused {}

async fn refuse(_: u32) -> Result<u32, Refused> {
    Err(Refused)
}

/// Error types and messages of all failures.
async fn causes(world: &World) -> Vec<(Option<String>, Option<String>)> {
    world.flush().await;
    let failures = events(&world.store).await.into_iter();
    let failures = failures.filter(|event| event.kind == EventKind::Failure);
    failures.map(|event| (event.error_type, event.error_message)).collect()
}

fn pair(error_type: &str, message: Option<&str>) -> (Option<String>, Option<String>) {
    (Some(error_type.to_owned()), message.map(str::to_owned))
}

#[tokio::test(start_paused = true)]
async fn a_layer_tells_the_type_of_an_error_and_a_describer_its_text_redacted() {
    let world = World::with(options().redact(|text| text.replace("hunter2", "…").into()));
    let layer = CircuitBreakerLayer::new(world.breaker("payments"));
    let call = service_fn(refuse);
    let _ = layer.clone().layer(call).oneshot(1).await.unwrap_err();
    // The types of both closures are inferred.
    let failing = layer.clone().failure_if(|result| result.is_err());
    let described = failing.describe(|result| result.err().map(Cause::of));
    let _ = described.layer(call).oneshot(1).await.unwrap_err();
    let boxed = service_fn(async |_: u32| Err::<u32, BoxError>(Refused.into()));
    let _ = layer.clone().layer(boxed).oneshot(1).await.unwrap_err();
    let odd = layer
        .classify(|result: Result<&u32, &Refused>| result.is_ok_and(|number| number % 2 == 1))
        .describe(|result: Result<&u32, &Refused>| {
            result.ok().map(|number| Cause::new("odd").with_message(number.to_string()))
        });
    let answer = service_fn(async |number: u32| Ok::<_, Refused>(number));
    odd.layer(answer).oneshot(7).await.unwrap();

    let refused = std::any::type_name::<Refused>();
    assert_eq!(
        causes(&world).await,
        [
            pair(refused, None),
            pair(refused, Some("refused with …")),
            pair("Box<dyn Error>", Some("refused with …")),
            pair("odd", Some("7")),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_text_is_cut_at_the_bound_of_the_store() {
    let world = World::new();
    let layer = CircuitBreakerLayer::new(world.breaker("payments"));
    let long = service_fn(async |_: u32| Err::<u32, _>(io::Error::other("€".repeat(100_000))));
    let _ = layer.layer(long).oneshot(1).await.unwrap_err();
    let text = "€".repeat(MAX_TEXT / 3);
    assert_eq!(causes(&world).await, [pair("std::io::error::Error", Some(&text))]);
}

#[tokio::test(start_paused = true)]
async fn calls_without_a_tower_stack_tell_what_they_failed_with() {
    let world = World::new();
    let breaker = world.breaker("payments");
    let _ = breaker.call(async || Err::<u32, _>(Refused)).await.unwrap_err();
    let call = breaker.call_described(
        async || Err::<u32, _>(Refused),
        |result| result.is_err(),
        |result| result.err().map(Cause::of),
    );
    let _ = call.await.unwrap_err();
    let cause = || Some(Cause::new("quota").with_message("7 left"));
    breaker.try_acquire().unwrap().record_with(Outcome::RATE_ONLY, cause);
    breaker.try_acquire().unwrap().failure();
    // Given up after as long as a slow call takes.
    let permit = breaker.try_acquire().unwrap();
    tokio::time::advance(secs(20)).await;
    drop(permit);

    let refused = std::any::type_name::<Refused>();
    assert_eq!(
        causes(&world).await,
        [
            pair(refused, None),
            pair(refused, Some("refused with hunter2")),
            pair("quota", Some("7 left")),
            (None, None),
            pair("given_up", None),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_call_and_one_of_the_describer_are_told_apart() {
    let world = World::new();
    let breaker = world.breaker("payments");
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let panics = service_fn(async |number: u32| {
        assert_eq!(number, 0, "by itself");
        refuse(number).await
    });
    let called = tokio::spawn(layer.clone().layer(panics).oneshot(1)).await;
    assert!(called.unwrap_err().is_panic());
    let described = layer.describe(|_: Result<&u32, &Refused>| panic!("cannot say"));
    let error = described.layer(service_fn(refuse)).oneshot(1).await.unwrap_err();
    assert!(error.is::<Refused>(), "the result is the caller's");

    assert_eq!(causes(&world).await, [pair("panic", None), (None, None)]);
    assert_eq!(breaker.snapshot().failed, 2, "a failure that cannot be described is one");
    let panics = events(&world.store).await.into_iter();
    let mut panics = panics.filter(|event| event.kind == EventKind::Panic);
    let panic = panics.next().unwrap();
    assert_eq!(panic.error_message.as_deref(), Some("cannot say"));
    assert_eq!(panic.data["code"], "classifier");
}

#[tokio::test(start_paused = true)]
async fn only_failures_that_somebody_is_told_of_are_described() {
    let breaker = Breaker::builder("payments").settings(lenient()).build().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let describe = {
        let asked = Arc::clone(&asked);
        move |result: Result<&u32, &Refused>| {
            asked.fetch_add(1, Ordering::SeqCst);
            result.err().map(Cause::of)
        }
    };
    let layer = CircuitBreakerLayer::new(breaker.clone()).describe(describe);
    let mut calls = layer.layer(service_fn(async |number: u32| match number {
        0 => Err(Refused),
        number => Ok(number),
    }));
    let mut call = async |number| drop(calls.ready().await.unwrap().call(number).await);
    call(0).await;
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nobody is told");
    let mut told = breaker.subscribe();
    call(1).await;
    assert_eq!(asked.load(Ordering::SeqCst), 0, "a success");
    call(0).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let cause = told.try_recv().unwrap().unwrap().cause.unwrap();
    assert_eq!(cause.message(), Some("refused with hunter2"), "not redacted");
}
