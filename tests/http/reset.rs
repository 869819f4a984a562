//! Connections and streams that end in the middle of a body.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, Version};
use http_body_util::BodyExt;
use tokio::{io::AsyncWriteExt, net::TcpListener, sync::Notify};
use tower_breaker::State;

use crate::support::{breaker, get, guarded, read_head, read_to_the_break};

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

/// A server of HTTP/2 that answers with headers and half a body, and with a reset once that half was
/// read: a reset overtakes what waits to be sent.
async fn resetting(reason: h2::Reason) -> (std::net::SocketAddr, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let half_read = Arc::new(Notify::new());
    let told = Arc::clone(&half_read);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                body.send_data(Bytes::from_static(b"half"), false).unwrap();
                told.notified().await;
                body.send_reset(reason);
            });
        }
    });
    (address, half_read)
}

#[tokio::test]
async fn a_stream_that_is_reset_in_mid_body_is_a_failure() {
    for reason in [h2::Reason::INTERNAL_ERROR, h2::Reason::CANCEL, h2::Reason::REFUSED_STREAM] {
        let (address, half_read) = resetting(reason).await;
        let (breaker, _) = breaker();
        let mut service = guarded(&breaker, Version::HTTP_2);
        for _ in 0..2 {
            let response = get(&mut service, address).await.unwrap();
            read_to_the_break(response.into_body(), &half_read).await;
        }
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.failed), (State::Open, 2), "{reason:?}");
    }
}
