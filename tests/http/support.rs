//! Upstreams that answer as a test says, and clients behind a breaker.

use std::{
    fmt::Debug,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::Request};
use bytes::Bytes;
use http::{Response, Version};
use http_body::Frame;
use http_body_util::{Empty, StreamBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tower::{Layer, Service, ServiceExt};
use tower_breaker::{
    Breaker, CircuitBreaker, CircuitBreakerLayer, Settings,
    breaker::{Snapshot, clock::ManualClock},
    error::BoxError,
    http::{AtEndOfStream, ServerErrorsAsFailures},
    service::{Boxed, Single},
};

pub(crate) type HttpClient = Client<HttpConnector, Empty<Bytes>>;
pub(crate) type Guarded =
    CircuitBreaker<HttpClient, Single, AtEndOfStream<ServerErrorsAsFailures>, Boxed>;

pub(crate) const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// A server that answers every request with what `answer` makes of it.
pub(crate) async fn upstream<F>(answer: F) -> SocketAddr
where
    F: Fn(Request) -> Response<Body> + Clone + Send + Sync + 'static,
{
    serve(Router::new().fallback(move |request: Request| {
        let response = answer(request);
        async move { response }
    }))
    .await
}

pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub(crate) fn client(version: Version) -> HttpClient {
    Client::builder(TokioExecutor::new())
        .http2_only(version == Version::HTTP_2)
        .build(HttpConnector::new())
}

/// A breaker on a clock that a test moves, which opens at the second failure in a row, is probed
/// once, and counts calls in its window.
pub(crate) fn breaker() -> (Breaker, ManualClock) {
    let settings = Settings::builder()
        .failure_threshold(2)
        .failure_rate_threshold(1.0)
        .permitted_calls_in_half_open(1)
        .slow_call_duration_threshold(Duration::from_secs(10))
        .jitter(0.0)
        .build()
        .unwrap();
    with_settings(settings)
}

pub(crate) fn with_settings(settings: Settings) -> (Breaker, ManualClock) {
    let clock = ManualClock::new();
    clock.advance(Duration::from_secs(1000));
    let breaker =
        Breaker::builder("upstream").settings(settings).clock(clock.clone()).build().unwrap();
    (breaker, clock)
}

/// A client behind the breaker that looks at bodies.
pub(crate) fn guarded(breaker: &Breaker, version: Version) -> Guarded {
    CircuitBreakerLayer::new(breaker.clone())
        .settle(AtEndOfStream::new(ServerErrorsAsFailures))
        .layer(client(version))
}

pub(crate) async fn get<S>(service: &mut S, address: SocketAddr) -> Result<S::Response, S::Error>
where
    S: Service<http::Request<Empty<Bytes>>>,
    S::Error: Debug,
{
    let uri = format!("http://{address}/");
    let request = http::Request::get(uri).body(Empty::new()).unwrap();
    service.ready().await.unwrap().call(request).await
}

/// Opens the circuit and lets the open time pass, so that the next call is a probe.
pub(crate) fn await_probe(breaker: &Breaker, clock: &ManualClock) {
    while breaker.state() == tower_breaker::State::Closed {
        breaker.try_acquire().unwrap().failure();
    }
    clock.advance(breaker.snapshot().remaining.unwrap());
}

pub(crate) type Frames = mpsc::Sender<Result<Frame<Bytes>, BoxError>>;

/// A body whose frames a test sends.
pub(crate) fn scripted() -> (Frames, Body) {
    let (sender, receiver) = mpsc::channel(8);
    (sender, Body::new(StreamBody::new(ReceiverStream::new(receiver))))
}

pub(crate) fn data(text: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

/// A body that sends its frames one after the other.
pub(crate) fn frames(list: Vec<Result<Frame<Bytes>, BoxError>>) -> Body {
    Body::new(StreamBody::new(tokio_stream::iter(list)))
}

/// A body that sends data and then breaks.
pub(crate) fn broken() -> Body {
    let (sender, body) = scripted();
    tokio::spawn(async move {
        sender.send(data("half")).await.unwrap();
        // Sent apart, so that the half has left before the rest fails.
        tokio::time::sleep(Duration::from_millis(20)).await;
        sender.send(Err("the disk broke".into())).await.unwrap();
    });
    body
}

/// Waits until the figures of a breaker are as they should be: the other side is a real server.
pub(crate) async fn eventually(breaker: &Breaker, holds: impl Fn(&Snapshot) -> bool) -> Snapshot {
    #[allow(clippy::disallowed_methods, reason = "a real server is the other side")]
    let started = Instant::now();
    loop {
        let snapshot = breaker.snapshot();
        if holds(&snapshot) {
            return snapshot;
        }
        #[allow(clippy::disallowed_methods, reason = "a real server is the other side")]
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(10), "{snapshot:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Reads the head of a request.
pub(crate) async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}
