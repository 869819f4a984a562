//! Connections and streams that end in the middle of a body.

use bytes::Bytes;
use http::{Response, Version};
use http_body_util::BodyExt;
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tower_breaker::State;

use crate::support::{breaker, get, guarded, read_head};

#[tokio::test]
async fn a_connection_that_is_cut_in_mid_body_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            let half = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf";
            stream.write_all(half).await.unwrap();
        }
    });
    let (breaker, _) = breaker();
    let mut service = guarded(&breaker, Version::HTTP_11);
    for _ in 0..2 {
        let response = get(&mut service, address).await.unwrap();
        response.into_body().collect().await.unwrap_err();
    }
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.failed), (State::Open, 2));
}

/// A server of HTTP/2 that answers with headers, half a body and a reset.
async fn resetting(reason: h2::Reason) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            tokio::spawn(async move {
                body.send_data(Bytes::from_static(b"half"), false).unwrap();
                // Sent apart: a reset overtakes what waits to be sent.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                body.send_reset(reason);
            });
        }
    });
    address
}

#[tokio::test]
async fn a_stream_that_is_reset_in_mid_body_is_a_failure() {
    for reason in [h2::Reason::INTERNAL_ERROR, h2::Reason::CANCEL, h2::Reason::REFUSED_STREAM] {
        let address = resetting(reason).await;
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, Version::HTTP_2);
        for _ in 0..2 {
            let response = get(&mut service, address).await.unwrap();
            response.into_body().collect().await.unwrap_err();
        }
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.failed), (State::Open, 2), "{reason:?}");
    }
}
