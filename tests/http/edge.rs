//! Bodies and classifiers that misbehave or are of one's own, without a server.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_breaker::{
    Breaker, CircuitBreakerLayer, Outcome, State,
    breaker::UserCode,
    breaker::{EventKind, Snapshot},
    classify::ErrorsAsFailures,
    http::{AtEndOfStream, ClassifiedResponse, ClassifyEos, ClassifyStream, TrackedBody},
};

use crate::support::{await_probe, breaker, data, scripted};

/// One call of a service that answers with `body`; its response reaches `then`.
async fn call<C, B, T>(
    breaker: &Breaker,
    classify: C,
    body: B,
    then: impl AsyncFnOnce(Response<TrackedBody<B, C::ClassifyEos>>) -> T,
) -> (T, Snapshot)
where
    C: ClassifyStream<B, Infallible> + Clone,
    B: Body,
{
    let mut body = Some(body);
    let service = service_fn(move |()| {
        let body = body.take().expect("called once");
        async move { Ok::<_, Infallible>(Response::new(body)) }
    });
    let layer = CircuitBreakerLayer::new(breaker.clone()).settle(AtEndOfStream::new(classify));
    let response = layer.layer(service).oneshot(()).await.unwrap();
    let result = then(response).await;
    (result, breaker.snapshot())
}

#[derive(Debug)]
struct Panics;

impl Body for Panics {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body broke")
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(7)
    }
}

#[tokio::test]
async fn a_body_that_panics_is_a_failure_and_goes_on_unwinding() {
    let (breaker, _) = breaker();
    let (panic, snapshot) = call(&breaker, ErrorsAsFailures, Panics, async |response| {
        AssertUnwindSafe(response.into_body().collect()).catch_unwind().await
    })
    .await;
    assert!(panic.is_err());
    assert_eq!((snapshot.consecutive_failures, snapshot.counts.calls), (1, 1));
}

#[tokio::test]
async fn the_size_hint_is_that_of_the_body() {
    let (breaker, _) = breaker();
    let (hint, snapshot) = call(&breaker, ErrorsAsFailures, Panics, async |response| {
        response.body().size_hint().exact()
    })
    .await;
    assert_eq!(hint, Some(7));
    assert_eq!((snapshot.counts.calls, snapshot.failed), (1, 0), "it was dropped unread");
}

#[tokio::test]
async fn a_body_that_belongs_to_no_call_books_nothing() {
    let (breaker, _) = breaker();
    breaker.force_open();
    let service =
        service_fn(async |()| Ok::<_, Infallible>(Response::new(Full::new(Bytes::new()))));
    let layer = CircuitBreakerLayer::new(breaker.clone())
        .settle(AtEndOfStream::new(ErrorsAsFailures))
        .fallback(async |(), _| Ok::<_, Infallible>(Response::new(Full::from("cached"))));
    let response = layer.layer(service).oneshot(()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "cached");
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.admitted, snapshot.rejected, snapshot.late), (0, 1, 0));
}

#[tokio::test]
async fn a_closure_classifies_at_the_headers() {
    let (breaker, _) = breaker();
    let closure = |result: Result<&Response<Full<Bytes>>, &Infallible>| result.is_ok();
    let (_, snapshot) =
        call(&breaker, closure, Full::from("text"), async |response| response).await;
    assert_eq!((snapshot.consecutive_failures, snapshot.counts.calls), (1, 1));
}

#[tokio::test]
async fn an_empty_frame_is_not_the_first_data_of_a_probe() {
    let (breaker, clock) = breaker();
    await_probe(&breaker, &clock);
    let (frames, body) = scripted();
    call(&breaker, ErrorsAsFailures, body, async |response| {
        let mut body = response.into_body();
        for (text, state) in [("", State::HalfOpen), ("text", State::Closed)] {
            frames.send(data(text)).await.unwrap();
            body.frame().await.unwrap().unwrap();
            assert_eq!(breaker.state(), state, "{text:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_follows_an_upgrade_is_no_body() {
    let (breaker, clock) = breaker();
    await_probe(&breaker, &clock);
    let service = service_fn(async |()| {
        Ok::<_, Infallible>(Response::builder().status(101).body(Panics).unwrap())
    });
    let layer =
        CircuitBreakerLayer::new(breaker.clone()).settle(AtEndOfStream::new(ErrorsAsFailures));
    let response = layer.layer(service).oneshot(()).await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
    drop(response);
    assert_eq!(breaker.snapshot().counts.calls, 0, "booked once, as the probe");
}

/// Says something at the end only, or panics.
#[derive(Clone)]
struct AtTheEnd(Option<Outcome>);

impl<B, Err> ClassifyStream<B, Err> for AtTheEnd {
    type ClassifyEos = Self;

    fn classify_response(&self, _: &Response<B>) -> ClassifiedResponse<Self> {
        ClassifiedResponse::RequiresEos(self.clone())
    }

    fn classify_error(&self, _: &Err) -> Outcome {
        Outcome::FAILURE
    }
}

impl ClassifyEos for AtTheEnd {
    fn classify_eos(&self, trailers: Option<&HeaderMap>) -> Outcome {
        assert!(trailers.is_none());
        self.0.expect("no verdict")
    }
}

#[tokio::test]
async fn an_empty_stream_is_classified_at_once() {
    let (breaker, _) = breaker();
    let classify = AtTheEnd(Some(Outcome::FAILURE));
    let (_response, snapshot) =
        call(&breaker, classify, Empty::<Bytes>::new(), async |response| response).await;
    assert_eq!((snapshot.consecutive_failures, snapshot.counts.calls), (1, 1));
}

#[tokio::test]
async fn a_classifier_that_panics_at_the_end_gives_the_place_back() {
    let (breaker, clock) = breaker();
    let mut events = breaker.subscribe();
    await_probe(&breaker, &clock);
    let (_, snapshot) =
        call(&breaker, AtTheEnd(None), Empty::<Bytes>::new(), async |response| response).await;
    assert_eq!((snapshot.state, snapshot.ignored), (State::HalfOpen, 1));
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
    let panicked = std::iter::from_fn(|| events.try_recv().unwrap()).filter(|event| {
        matches!(event.kind, EventKind::Panicked { what: UserCode::Classifier, .. })
    });
    assert_eq!(panicked.count(), 1);
}
