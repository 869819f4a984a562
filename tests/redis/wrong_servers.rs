//! Servers that are not what a URL says, or too old.

use std::path::PathBuf;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tower_breaker::store::{Lane, StateStore, StoreError, redis::RedisStore};

use crate::{
    redis_servers::{OwnServer, TestRedis, free_port, secs},
    support::{open, service, write},
};

async fn refused(url: &str) -> StoreError {
    let builder = RedisStore::builder(url).operation_timeout(secs(5));
    builder.connect().await.expect_err("it is refused")
}

#[track_caller]
fn is_configuration(error: &StoreError, says: &str) {
    assert!(matches!(error, StoreError::Configuration { .. }), "{error:?}");
    assert!(error.to_string().contains(says), "{error} does not say {says:?}");
}

/// A server that gives each command that begins with a word the answer for it, and an error to others.
async fn fake(answers: &[(&'static str, &'static str)]) -> String {
    let answers = answers.to_vec();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answers = answers.clone();
            tokio::spawn(async move {
                let mut asked = vec![0; 64 * 1024];
                while let Ok(read @ 1..) = stream.read(&mut asked).await {
                    let asked = String::from_utf8_lossy(&asked[..read]).into_owned();
                    for command in asked.split('*').filter(|command| !command.is_empty()) {
                        let name = command.split("\r\n").nth(2).unwrap_or_default();
                        let known = answers.iter().find(|(known, _)| *known == name);
                        let answer = known.map_or_else(
                            || {
                                format!(
                                    "-ERR unknown command `{name}`, with args beginning with: \r\n"
                                )
                            },
                            |(_, answer)| (*answer).to_owned(),
                        );
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    url
}

const HELLO: (&str, &str) = ("HELLO", "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n");
const SUBSCRIBE: (&str, &str) =
    ("SUBSCRIBE", ">3\r\n$9\r\nsubscribe\r\n$23\r\n{tower-breaker}:changed\r\n:1\r\n");

#[tokio::test]
async fn a_server_before_version_6_is_named_with_its_version() {
    let info = "$46\r\n# Server\r\nredis_version:5.0.14\r\nos:Linux 6.1\r\n\r\n";
    assert_eq!(info.len(), 5 + 46 + 2, "the fake speaks the protocol");
    let url = fake(&[("INFO", "$46\r\n# Server\r\nredis_version:5.0.14\r\nos:Linux 6.1\r\n\r\n")]);
    is_configuration(&refused(&url.await).await, "Redis 5.0.14 but must be Redis 6");
    is_configuration(&refused(&fake(&[]).await).await, "unknown version");
}

#[tokio::test]
async fn a_node_of_a_cluster_is_refused() {
    let url = fake(&[HELLO, SUBSCRIBE, ("EVALSHA", "-MOVED 3999 127.0.0.1:6381\r\n")]).await;
    is_configuration(&refused(&url).await, "Redis Cluster, which is not supported");
}

#[tokio::test]
async fn a_replica_is_away_and_not_misconfigured() {
    for answer in [
        "-READONLY You can't write against a read only replica.\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
    ] {
        let error = refused(&fake(&[HELLO, SUBSCRIBE, ("EVALSHA", answer)]).await).await;
        assert!(error.is_unavailable(), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_of_another_kind_is_an_error_and_no_panic() {
    for nonsense in ["HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0", "$-7\r\n", "*9999999999\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(nonsense.as_bytes()).await;
            }
        });
        let builder = RedisStore::builder(url).operation_timeout(secs(1));
        assert!(builder.connect().await.is_err(), "{nonsense:?}");
    }
}

/// An answer that no script gives.
#[tokio::test]
async fn answers_that_are_none_are_errors_and_no_panics() {
    for answer in ["+OK\r\n", "*0\r\n", "*1\r\n$5\r\nfound\r\n", "_\r\n", "*2\r\n:1\r\n:2\r\n"] {
        let url = fake(&[HELLO, SUBSCRIBE, ("EVALSHA", answer)]).await;
        let store = RedisStore::builder(url).connect_lazy().unwrap();
        assert!(store.load(&service("payments")).await.is_err(), "{answer:?}");
        assert!(store.load_all(None).await.is_err(), "{answer:?}");
        assert!(write(&store, Lane::State, &open("payments", 1)).await.is_err(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_url_says_what_one_looks_like() {
    for url in ["", "redis", "127.0.0.1:6379", "http://127.0.0.1", "redis://", "redis://a:b:c"] {
        is_configuration(&refused(url).await, "write `redis://user:password@host");
    }
    is_configuration(&refused("redis://127.0.0.1/zero").await, "database number");
    let nobody = refused(&format!("redis://127.0.0.1:{}", free_port())).await;
    assert!(nobody.is_unavailable(), "{nobody:?}");
    let unknown = refused("redis://no-such-host.invalid").await;
    assert!(unknown.is_unavailable(), "{unknown:?}");
    let prefix = TestRedis::new().builder().prefix("a{b}").connect().await.unwrap_err();
    is_configuration(&prefix, "the store's prefix");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let server = OwnServer::start(&["--databases", "2"]).await;
    for number in [2, -1] {
        let error = refused(&format!("{}/{number}", server.url())).await;
        is_configuration(&error, "no database of the number");
    }
    RedisStore::connect(format!("{}/1", server.url())).await.unwrap();
}

/// A certificate for `localhost` and 127.0.0.1, signed by `root.pem` and good for a hundred years. Its
/// key opens nothing.
fn certificate(file: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/redis/tls").join(file);
    path.to_str().expect("a path").to_owned()
}

#[tokio::test]
async fn a_certificate_must_be_one_that_is_trusted() {
    let port = free_port().to_string();
    let (cert, key) = (certificate("server.pem"), certificate("server.key"));
    let options = [
        "--tls-port",
        port.as_str(),
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ];
    let server = OwnServer::start(&options).await;
    let url = format!("rediss://127.0.0.1:{port}");
    is_configuration(&refused(&url).await, "no secure connection to the server can be made");

    let root = std::fs::read(certificate("root.pem")).unwrap();
    let builder = RedisStore::builder(&url).operation_timeout(secs(5));
    let store = builder.root_certificate(root.clone()).connect().await.unwrap();
    write(&store, Lane::State, &open("payments", 1)).await.unwrap();

    let wrong = RedisStore::builder(&url).root_certificate("no certificate").connect().await;
    is_configuration(&wrong.unwrap_err(), "no secure connection");
    // The port without TLS, as if it had it.
    let plain = format!("rediss://127.0.0.1:{}", server.port);
    let builder = RedisStore::builder(plain).operation_timeout(secs(2)).root_certificate(root);
    assert!(builder.connect().await.is_err());
}
