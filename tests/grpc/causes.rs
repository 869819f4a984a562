//! What the history says of calls that failed.

use axum::body::Body;
use http::Response;
use tonic::Status;

use crate::support::{History, ask, client, raw_upstream, read, replies, upstream};

fn pair(error_type: &str, message: &str) -> (String, String) {
    (error_type.to_owned(), message.to_owned())
}

#[tokio::test]
async fn a_status_is_told_with_the_name_of_its_code_in_headers_and_in_trailers() {
    let history = History::new();
    let in_headers = upstream(|| Err(Status::unavailable("away"))).await;
    ask(&mut client(&history.breaker, in_headers)).await.unwrap_err();
    let in_trailers = upstream(|| replies(vec![Err(Status::data_loss("gone"))])).await;
    read(ask(&mut client(&history.breaker, in_trailers)).await).await.unwrap_err();
    let expected = ["UNAVAILABLE", "DATA_LOSS"].map(|code| pair("grpc_status", code));
    assert_eq!(history.failures(2).await, expected);
}

#[tokio::test]
async fn an_answer_without_a_status_and_a_server_that_is_not_there_are_told_apart() {
    let history = History::new();
    let silent = raw_upstream(|| {
        let response = Response::builder().header("content-type", "application/grpc");
        response.body(Body::empty()).unwrap()
    })
    .await;
    let _ = ask(&mut client(&history.breaker, silent)).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    ask(&mut client(&history.breaker, nobody)).await.unwrap_err();

    let failures = history.failures(2).await;
    assert_eq!(failures[0], pair("no_grpc_status", "-"));
    assert_eq!(failures[1].0, "tonic::transport::error::Error");
}
