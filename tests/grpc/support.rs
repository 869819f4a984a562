//! A gRPC service that answers as a test says, written by hand, and clients behind a breaker.

#[path = "../support/history.rs"]
mod history;
#[path = "../support/net.rs"]
mod net;
#[path = "../support/mod.rs"]
mod shared;

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt, stream};
use http::uri::PathAndQuery;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Response, Status, Streaming,
    server::NamedService,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tower::{Layer, Service, service_fn};
use tower_breaker::{
    Breaker, CircuitBreaker, CircuitBreakerLayer,
    grpc::{self, GrpcErrorsAsFailures, Unavailable},
    http::AtEndOfStream,
    service::Single,
};

pub(crate) use self::{
    history::History,
    net::{breaker, eventually},
    shared::{await_probe, live, plain, secs},
};

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Text {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

pub(crate) type Messages = Pin<Box<dyn Stream<Item = Result<Text, Status>> + Send>>;
pub(crate) type Reply = Result<Response<Messages>, Status>;

/// A service whose only method streams what its closure says.
#[derive(Clone)]
struct Scripted<F>(F);

impl<F> NamedService for Scripted<F> {
    const NAME: &'static str = "test.Scripted";
}

impl<F> Service<http::Request<tonic::body::Body>> for Scripted<F>
where
    F: Fn() -> Reply + Clone + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let answer = self.0.clone();
        let method = service_fn(move |_: Request<Text>| {
            let reply = answer();
            async move { reply }
        });
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Text, Text>::default());
            Ok(grpc.server_streaming(method, request).await)
        })
    }
}

pub(crate) type Guard<S> =
    CircuitBreaker<S, Single, AtEndOfStream<GrpcErrorsAsFailures>, Unavailable>;
pub(crate) type Client = tonic::client::Grpc<Guard<Channel>>;

pub(crate) fn layer(
    breaker: &Breaker,
) -> CircuitBreakerLayer<Single, AtEndOfStream<GrpcErrorsAsFailures>, Unavailable> {
    CircuitBreakerLayer::new(breaker.clone())
        .settle(AtEndOfStream::new(GrpcErrorsAsFailures::new()))
        .on_reject(grpc::unavailable())
}

async fn incoming() -> (TcpIncoming, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (TcpIncoming::from(listener), address)
}

/// A server that answers every call as `answer` says.
pub(crate) async fn upstream<F>(answer: F) -> SocketAddr
where
    F: Fn() -> Reply + Clone + Send + Sync + 'static,
{
    let (incoming, address) = incoming().await;
    let server = Server::builder().add_service(Scripted(answer));
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

/// As [`upstream`], with a breaker in the server.
pub(crate) async fn guarded_upstream<F>(breaker: &Breaker, answer: F) -> SocketAddr
where
    F: Fn() -> Reply + Clone + Send + Sync + 'static,
{
    let (incoming, address) = incoming().await;
    let server = Server::builder().layer(layer(breaker)).add_service(Scripted(answer));
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

/// A server of HTTP/2 that is none of gRPC.
pub(crate) async fn raw_upstream<F>(answer: F) -> SocketAddr
where
    F: Fn() -> http::Response<axum::body::Body> + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(move || {
        let response = answer();
        async move { response }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub(crate) fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

pub(crate) fn client(breaker: &Breaker, address: SocketAddr) -> Client {
    tonic::client::Grpc::new(layer(breaker).layer(channel(address)))
}

const METHOD: PathAndQuery = PathAndQuery::from_static("/test.Scripted/Ask");

/// Begins a call.
pub(crate) async fn ask<S>(
    client: &mut tonic::client::Grpc<S>,
) -> Result<Response<Streaming<Text>>, Status>
where
    S: tonic::client::GrpcService<tonic::body::Body>,
    S::Error: std::fmt::Debug,
    S::ResponseBody: http_body::Body + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<tower_breaker::error::BoxError>,
{
    client.ready().await.unwrap();
    let codec = ProstCodec::<Text, Text>::default();
    client.server_streaming(Request::new(Text::default()), METHOD, codec).await
}

/// A call whose one answer is awaited, as that of a unary method.
pub(crate) async fn ask_once(client: &mut Client) -> Result<Text, Status> {
    client.ready().await.unwrap();
    let codec = ProstCodec::<Text, Text>::default();
    let response = client.unary(Request::new(Text::default()), METHOD, codec).await?;
    Ok(response.into_inner())
}

/// Reads a stream to its end.
pub(crate) async fn read(
    response: Result<Response<Streaming<Text>>, Status>,
) -> Result<usize, Status> {
    let mut messages = response?.into_inner();
    let mut count = 0;
    while messages.message().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

pub(crate) fn text(text: &str) -> Result<Text, Status> {
    Ok(Text { text: text.to_owned() })
}

pub(crate) fn replies(list: Vec<Result<Text, Status>>) -> Reply {
    Ok(Response::new(stream::iter(list).boxed()))
}

/// Messages that a test sends.
pub(crate) fn scripted() -> (mpsc::Sender<Result<Text, Status>>, Messages) {
    let (sender, receiver) = mpsc::channel(8);
    (sender, ReceiverStream::new(receiver).boxed())
}
