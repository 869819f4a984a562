//! What counts as a failure, when status codes and errors do not say it.
//!
//! A payment gateway answers 200 with an error in the body, tells clients when to come back, and
//! refuses requests that are their callers' own mistake.
//!
//! ```text
//! cargo run --example custom_classifier
//! ```

use std::{fmt, time::Duration};

use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_breaker::{
    Breaker, CallError, CircuitBreakerLayer, Classify, Outcome, Settings, State,
    circuit::TripReason,
    error::{self, BoxError},
};

/// What the gateway answered.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    code: &'static str,
    retry_after: Option<Duration>,
}

#[derive(Clone, Debug)]
enum GatewayError {
    /// No answer in time.
    Timeout,
    /// The request never left: its amount does not make sense.
    Amount,
}

/// A classifier with a name, for use in many places.
#[derive(Clone, Copy, Debug)]
struct PaymentOutcomes;

impl Classify<Answer, GatewayError> for PaymentOutcomes {
    fn classify(&self, result: Result<&Answer, &GatewayError>) -> Outcome {
        match result {
            // The gateway works, but the bank behind it does not: a failure that says 200.
            Ok(Answer { status: 200, code: "bank_unavailable", .. }) => Outcome::FAILURE,
            // It works and says no.
            Ok(Answer { status: 200, .. }) => Outcome::SUCCESS,
            // It works, and there is too much of it: that counts for the failure rate, but it does
            // not take five of these in a row to be an outage. If the circuit opens, it stays open
            // for as long as the gateway asked.
            Ok(Answer { status: 429, retry_after, .. }) => {
                Outcome::RATE_ONLY.with_retry_after(retry_after.unwrap_or_default())
            }
            // The caller's own mistake says nothing about the gateway.
            Ok(Answer { status: 400..=499, .. }) | Err(GatewayError::Amount) => Outcome::IGNORED,
            Ok(_) | Err(GatewayError::Timeout) => Outcome::FAILURE,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let ok = |code| Ok(Answer { status: 200, code, retry_after: None });
    let bad_request = Ok(Answer { status: 400, code: "no_such_card", retry_after: None });
    let wait = Some(Duration::from_secs(30));
    let too_many = Ok(Answer { status: 429, code: "slow_down", retry_after: wait });

    // Whatever becomes of it, a request that was wrong decides nothing.
    let breaker = breaker("ignored")?;
    send(&breaker, 50, &bad_request).await;
    send(&breaker, 50, &Err(GatewayError::Amount)).await;
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.ignored), (State::Closed, 100));
    println!("100 bad requests:          {}", snapshot.state);

    // A card that is declined is business as usual.
    send(&breaker, 100, &ok("card_declined")).await;
    assert_eq!(breaker.snapshot().failure_rate, Some(0.0));
    println!("100 declined cards:        {}", breaker.state());

    // An error in a 200 is a failure, like one that is an error.
    send(&breaker, 4, &ok("bank_unavailable")).await;
    send(&breaker, 1, &Err(GatewayError::Timeout)).await;
    let trip = breaker.snapshot().trip_reason.unwrap();
    assert_eq!(trip, TripReason::ConsecutiveFailures { failures: 5, threshold: 5 });
    println!("4 errors in a 200, and 1:  {}: {trip}", breaker.state());

    // A 429 is no failure in a row, but many of them are too high a rate.
    let breaker = self::breaker("told to wait")?;
    send(&breaker, 10, &ok("paid")).await;
    send(&breaker, 9, &too_many).await;
    assert_eq!((breaker.state(), breaker.snapshot().consecutive_failures), (State::Closed, 0));
    println!("9 times 429 after 10 good: {}", breaker.state());
    send(&breaker, 1, &too_many).await;
    let snapshot = breaker.snapshot();
    let trip = snapshot.trip_reason.unwrap();
    assert_eq!(trip, TripReason::FailureRate { failures: 10, calls: 20, threshold: 0.5 });
    // Not for the recovery timeout of 60 s, but for as long as the gateway asked.
    let left = snapshot.remaining.unwrap();
    assert!(left <= Duration::from_secs(30) && left > Duration::from_secs(25));
    println!("a tenth:                   {} for {left:.0?}: {trip}", snapshot.state);

    // A closure does as well, on a layer. Its argument has its types, and it returns an outcome or
    // whether the call failed.
    let breaker = self::breaker("closure")?;
    let layer = CircuitBreakerLayer::new(breaker.clone())
        .classify(|result: Result<&Answer, &GatewayError>| result.is_ok_and(|it| it.status == 418));
    let mut service = ServiceBuilder::new().layer(layer).service(service_fn(async |status| {
        Ok::<_, GatewayError>(Answer { status, code: "tea", retry_after: None })
    }));
    for status in [418, 418, 418, 418, 500, 418] {
        service.ready().await?.call(status).await?;
    }
    assert_eq!(breaker.state(), State::Closed);
    for _ in 0..4 {
        service.ready().await?.call(418).await?;
    }
    let rejected = service.ready().await?.call(418).await.unwrap_err();
    println!("5 teapots in a row:        {}", error::rejected(&*rejected).unwrap());

    // Or without tower, for a single call.
    let breaker = self::breaker("one call")?;
    for _ in 0..5 {
        let tasted = breaker
            .call_with(
                async || Ok::<_, GatewayError>("sour"),
                |taste| taste.is_ok_and(|it| *it == "sour"),
            )
            .await;
        assert_eq!(tasted.unwrap(), "sour");
    }
    let tasted = breaker.call(async || Ok::<_, GatewayError>("sweet")).await;
    assert!(matches!(tasted, Err(CallError::Rejected(_))));
    println!("5 sour ones:               {}", breaker.state());
    Ok(())
}

/// Five failures in a row, or half of at least 20 calls.
fn breaker(name: &str) -> Result<Breaker, BoxError> {
    let settings = Settings::builder().failure_threshold(5).failure_rate_threshold(0.5).build()?;
    Ok(Breaker::builder(name).settings(settings).build()?)
}

/// Makes calls that all come to `result`, through the classifier with a name.
async fn send(breaker: &Breaker, calls: usize, result: &Result<Answer, GatewayError>) {
    let layer = CircuitBreakerLayer::new(breaker.clone()).classify_with(PaymentOutcomes);
    let mut service =
        ServiceBuilder::new().layer(layer).service(service_fn(async |()| result.clone()));
    for _ in 0..calls {
        // What the caller gets is what the gateway said, however it was classified.
        let got = service.ready().await.unwrap().call(()).await;
        assert_eq!(got.is_ok(), result.is_ok());
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "no answer in time",
            Self::Amount => "the amount does not make sense",
        })
    }
}

impl std::error::Error for GatewayError {}
