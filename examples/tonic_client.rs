//! A gRPC client whose breaker reads the trailers.
//!
//! The server answers every call with HTTP 200 and a first message. Whether the call failed is in
//! the trailers, at the end of the stream; there the breaker looks.
//!
//! ```text
//! cargo run --example tonic_client --features grpc
//! ```

use std::{
    convert::Infallible,
    future::{Future, ready},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::http::{self, uri::PathAndQuery};
use tokio::{net::TcpListener, time::sleep};
use tokio_stream::{iter, wrappers::TcpListenerStream};
use tonic::{Code, Request, Response, Status, body::Body, server::NamedService, transport};
use tonic_prost::ProstCodec;
use tower::{Service, ServiceBuilder, service_fn};
use tower_breaker::{
    BoxError, Breaker, CircuitBreakerLayer, Settings, State,
    grpc::{GrpcErrorsAsFailures, unavailable},
    http::AtEndOfStream,
};

/// `message Item { string name = 1; }`
#[derive(Clone, PartialEq, prost::Message)]
struct Item {
    #[prost(string, tag = "1")]
    name: String,
}

/// `message Stock { uint32 pieces = 1; }`
#[derive(Clone, PartialEq, prost::Message)]
struct Stock {
    #[prost(uint32, tag = "1")]
    pieces: u32,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = Server::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let serving = transport::Server::builder().add_service(server.clone());
    tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));

    let settings = Settings::builder()
        .failure_threshold(3)
        .recovery_timeout(Duration::from_millis(500))
        .build()?;
    let breaker = Breaker::builder("stock").settings(settings).build()?;
    let layer = CircuitBreakerLayer::new(breaker.clone())
        .settle(AtEndOfStream::new(GrpcErrorsAsFailures::new()))
        .on_reject(unavailable());
    let channel = transport::Endpoint::new(address)?.connect().await?;
    // What tonic's generated clients are made of, around any service.
    let mut client = tonic::client::Grpc::new(ServiceBuilder::new().layer(layer).service(channel));

    // Follows the stock of an item to the end of the stream.
    let mut watch = async |name: &str| -> Result<Vec<u32>, Status> {
        client.ready().await.map_err(|error| Status::from_error(error.into()))?;
        let (request, path) =
            (Request::new(Item { name: name.to_owned() }), PathAndQuery::from_static(WATCH));
        let response = client.server_streaming(request, path, ProstCodec::<Item, Stock>::default());
        let result = async {
            let mut stream = response.await?.into_inner();
            let mut pieces = Vec::new();
            while let Some(stock) = stream.message().await? {
                pieces.push(stock.pieces);
            }
            Ok(pieces)
        };
        let result: Result<_, Status> = result.await;
        match &result {
            Ok(pieces) => println!("{name}: {pieces:?}"),
            Err(status) => println!("{name}: {:?}: {}", status.code(), status.message()),
        }
        result
    };

    assert_eq!(watch("apples").await?, [12, 11]);
    // Some codes are the caller's own affair.
    for _ in 0..3 {
        assert_eq!(watch("unicorns").await.unwrap_err().code(), Code::NotFound);
    }
    assert_eq!(breaker.state(), State::Closed);

    println!("--- the server begins to fail");
    server.fails.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(watch("apples").await.unwrap_err().code(), Code::Internal);
    }
    assert_eq!(breaker.state(), State::Open);
    println!("--- the breaker is open: {}", breaker.snapshot().trip_reason.unwrap());

    // gRPC's own word for Retry-After.
    let status = watch("apples").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let pushback = status.metadata().get("grpc-retry-pushback-ms").ok_or("no pushback")?;
    let pushback = Duration::from_millis(pushback.to_str()?.parse()?);
    assert!(pushback <= Duration::from_millis(550), "{pushback:?}");
    assert_eq!(server.calls.load(Ordering::Relaxed), 7);

    println!("--- the server is well again");
    server.fails.store(false, Ordering::Relaxed);
    sleep(pushback).await;
    for _ in 0..3 {
        assert_eq!(watch("apples").await?, [12, 11]);
    }
    assert_eq!(breaker.state(), State::Closed);
    println!("--- the breaker is closed");
    Ok(())
}

const WATCH: &str = "/shop.Stock/Watch";

/// `service Stock { rpc Watch (Item) returns (stream Stock); }`, as tonic's generated servers do it.
#[derive(Clone, Debug, Default)]
struct Server {
    fails: Arc<AtomicBool>,
    calls: Arc<AtomicU32>,
}

impl Server {
    /// A message at once, and then either another one or the end.
    fn watch(&self, item: &Item) -> impl Iterator<Item = Result<Stock, Status>> + Send + use<> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let then = if self.fails.load(Ordering::Relaxed) {
            Err(Status::internal("the shelves fell over"))
        } else if item.name == "unicorns" {
            Err(Status::not_found("there never were any"))
        } else {
            Ok(Stock { pieces: 11 })
        };
        [Ok(Stock { pieces: 12 }), then].into_iter()
    }
}

impl NamedService for Server {
    const NAME: &'static str = "shop.Stock";
}

impl Service<http::Request<Body>> for Server {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let method = service_fn(|request: Request<Item>| {
                let messages = server.watch(request.get_ref());
                ready(Ok::<_, Status>(Response::new(iter(messages))))
            });
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Stock, Item>::default());
            Ok(grpc.server_streaming(method, request).await)
        })
    }
}
