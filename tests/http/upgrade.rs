//! Responses after which the connection is no HTTP any more.

use axum::{body::Body, extract::Request};
use http::{Response, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower::{Service, ServiceExt};
use tower_breaker::State;

use crate::support::{await_probe, breaker, guarded, read_head, upstream};

#[tokio::test]
async fn an_upgrade_ends_at_the_headers() {
    let address = upstream(|request: Request| {
        tokio::spawn(async move {
            let upgraded = hyper::upgrade::on(request).await.unwrap();
            let mut stream = TokioIo::new(upgraded);
            let mut ping = [0; 4];
            stream.read_exact(&mut ping).await.unwrap();
            stream.write_all(&ping).await.unwrap();
        });
        Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header("connection", "upgrade")
            .header("upgrade", "echo")
            .body(Body::empty())
            .unwrap()
    })
    .await;
    let (breaker, clock) = breaker();
    await_probe(&breaker, &clock);
    let mut service = guarded(&breaker, http::Version::HTTP_11);
    let request = http::Request::get(format!("http://{address}/"))
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(Empty::new())
        .unwrap();
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!(response.status(), 101);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.failed), (State::Closed, 2), "the probe is a success");

    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    stream.write_all(b"ping").await.unwrap();
    let mut pong = [0; 4];
    stream.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"ping");
    assert_eq!(breaker.snapshot(), snapshot);
}

#[tokio::test]
async fn a_connect_that_succeeds_ends_at_the_headers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        // Of any other request, the body would last until the connection is closed.
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut ping = [0; 4];
        stream.read_exact(&mut ping).await.unwrap();
        stream.write_all(&ping).await.unwrap();
    });
    let (breaker, clock) = breaker();
    await_probe(&breaker, &clock);
    let mut service = guarded(&breaker, http::Version::HTTP_11);
    let request = http::Request::connect(address.to_string()).body(Empty::new()).unwrap();
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(breaker.state(), State::Closed, "the probe is a success");

    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    stream.write_all(b"ping").await.unwrap();
    let mut pong = [0; 4];
    stream.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"ping");
}
