//! Upstreams that answer as a test says, and clients behind a breaker.

#[path = "../support/history.rs"]
mod history;
#[path = "../support/net.rs"]
mod net;
#[path = "../support/mod.rs"]
mod shared;

use std::{fmt::Debug, net::SocketAddr, sync::Arc};

use axum::{Router, body::Body, extract::Request};
use bytes::Bytes;
use http::{Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
};
use tokio_stream::wrappers::ReceiverStream;
use tower::{Layer, Service, ServiceExt};
use tower_breaker::{
    Breaker, CircuitBreaker, CircuitBreakerLayer,
    error::BoxError,
    http::{AtEndOfStream, ServerErrorsAsFailures},
    service::{Boxed, Single},
};

pub(crate) use self::{
    history::History,
    net::{breaker, eventually},
    shared::{await_probe, live, plain, secs},
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

/// An upstream whose bodies send data and break once [`read_to_the_break`] has that data.
pub(crate) async fn breaking() -> (SocketAddr, Arc<Notify>) {
    let half_read = Arc::new(Notify::new());
    let told = Arc::clone(&half_read);
    (upstream(move |_| Response::new(broken(&told))).await, half_read)
}

/// A body that sends data and breaks once it is told that they were read: what breaks a stream
/// overtakes what waits to be sent.
pub(crate) fn broken(half_read: &Arc<Notify>) -> Body {
    let (sender, body) = scripted();
    let half_read = Arc::clone(half_read);
    tokio::spawn(async move {
        sender.send(data("half")).await.unwrap();
        half_read.notified().await;
        sender.send(Err("the disk broke".into())).await.unwrap();
    });
    body
}

/// Reads the first half of a body, tells so, and reads on to the error.
pub(crate) async fn read_to_the_break<B>(mut body: B, half_read: &Notify) -> B::Error
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Debug,
{
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    half_read.notify_one();
    body.collect().await.unwrap_err()
}

/// Reads the head of a request.
pub(crate) async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}
