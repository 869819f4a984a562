//! reqwest with a circuit for each host.
//!
//! One of two hosts fails for a while. Calls to it are rejected at once, calls to the other one go
//! on, and where a server says when to come back, the circuit stays open until then.
//!
//! ```text
//! cargo run --example reqwest_client --features reqwest
//! ```

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode, response::IntoResponse, routing::get};
use reqwest::{Client, Request, Response};
use tokio::{net::TcpListener, time::sleep};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_breaker::{
    BoxError, BreakerMap, CircuitBreakerLayer, Settings, State, error,
    http::ServerErrorsAsFailures, retry,
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (books, films) = (Host::start().await?, Host::start().await?);
    let client = Client::builder()
        .no_proxy()
        .resolve("books.test", books.address)
        .resolve("films.test", films.address)
        .build()?;

    let settings = Settings::builder().failure_threshold(3).build()?;
    let hosts = BreakerMap::builder().settings(settings).build()?;
    let layer = CircuitBreakerLayer::keyed(hosts.clone(), |request: &Request| {
        Cow::Borrowed(request.url().host_str().unwrap_or_default())
    })
    .classify_with(ServerErrorsAsFailures);
    let mut service = ServiceBuilder::new().layer(layer).service(client.clone());

    // A call through the circuit of its host.
    let mut fetch = async |host: &str, port: u16| -> Result<StatusCode, BoxError> {
        let request = client.get(format!("http://{host}:{port}/")).build()?;
        let result: Result<Response, BoxError> = service.ready().await?.call(request).await;
        match &result {
            Ok(response) => println!("{host}: {}", response.status()),
            Err(error) => println!("{host}: {error}"),
        }
        Ok(result?.status())
    };
    let (books_port, films_port) = (books.address.port(), films.address.port());

    assert_eq!(fetch("books.test", books_port).await?, StatusCode::OK);
    assert_eq!(fetch("films.test", films_port).await?, StatusCode::OK);

    println!("--- books.test begins to fail, and asks to be left alone for a second");
    books.fails.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(fetch("books.test", books_port).await?, StatusCode::SERVICE_UNAVAILABLE);
    }
    let error = fetch("books.test", books_port).await.unwrap_err();
    let rejected = error::rejected(&*error).ok_or("it should be the breaker that says no")?;
    assert_eq!((rejected.service.as_str(), rejected.state), ("books.test", State::Open));
    // The server's Retry-After, not the recovery timeout of a minute.
    let wait = rejected.retry_after.unwrap_or_default();
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
    assert!(!retry::worth_retrying(&*error));
    assert_eq!(books.calls.load(Ordering::Relaxed), 4);
    // The other host has a circuit of its own.
    assert_eq!(fetch("films.test", films_port).await?, StatusCode::OK);

    println!("--- books.test is well again");
    books.fails.store(false, Ordering::Relaxed);
    sleep(wait).await;
    for _ in 0..3 {
        assert_eq!(fetch("books.test", books_port).await?, StatusCode::OK);
    }
    assert_eq!(hosts.breaker("books.test").state(), State::Closed);

    println!("--- a host that is not there at all fails like others");
    let nowhere = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    for _ in 0..3 {
        let error = fetch("127.0.0.1", nowhere).await.unwrap_err();
        assert!(error::rejected(&*error).is_none());
    }
    assert_eq!(hosts.breaker("127.0.0.1").state(), State::Open);
    Ok(())
}

/// A host that can be made to fail, and counts its calls.
struct Host {
    address: SocketAddr,
    fails: Arc<AtomicBool>,
    calls: Arc<AtomicU32>,
}

impl Host {
    async fn start() -> Result<Self, BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (fails, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let (failing, counter) = (Arc::clone(&fails), Arc::clone(&calls));
        let index = get(async move || {
            counter.fetch_add(1, Ordering::Relaxed);
            if failing.load(Ordering::Relaxed) {
                (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")], "full").into_response()
            } else {
                "a list".into_response()
            }
        });
        tokio::spawn(async { axum::serve(listener, Router::new().route("/", index)).await });
        Ok(Self { address, fails, calls })
    }
}
