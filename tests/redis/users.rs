//! Users that may not do everything, and passwords.

use std::time::Duration;

use tower_breaker::store::{
    ChangeHint, FleetStore, Lane, RunId, StateStore, StoreError, redis::RedisStoreBuilder,
};

use crate::{
    redis_servers::{OwnServer, secs},
    support::{Log, hint, hint_of, names, open, service, write},
};

const PASSWORD: &str = "hunter2-Gu7ae";

/// A user of a server, who may do what the rules say.
async fn user(server: &OwnServer, name: &str, rules: &[&str]) -> RedisStoreBuilder {
    let mut raw = server.raw().await;
    let password = format!(">{PASSWORD}");
    let mut all = vec!["SETUSER", name, "reset", "on", &password];
    all.extend(rules);
    raw.ask::<()>("ACL", all).await;
    let url = format!("redis://{name}:{PASSWORD}@127.0.0.1:{}", server.port);
    tower_breaker::store::redis::RedisStore::builder(url).operation_timeout(secs(5))
}

/// The rules that the module docs give are enough.
#[tokio::test]
async fn the_documented_user_may_do_all_that_the_store_does() {
    let server = OwnServer::start(&[]).await;
    let documented = [
        "~{tower-breaker}:*",
        "&{tower-breaker}:changed",
        "+eval",
        "+evalsha",
        "+time",
        "+type",
        "+exists",
        "+del",
        "+persist",
        "+pexpire",
        "+get",
        "+set",
        "+hset",
        "+hget",
        "+hmget",
        "+hgetall",
        "+zadd",
        "+zrem",
        "+zscore",
        "+zincrby",
        "+zrevrange",
        "+zrangebyscore",
        "+subscribe",
        "+publish",
        "+ping",
    ];
    let store = user(&server, "breakers", &documented).await.connect().await.unwrap();
    let mut hints = store.watch();
    write(&store, Lane::State, &open("payments", 1)).await.unwrap();
    hint_of(&mut hints, &ChangeHint::Changed(service("payments"))).await;
    let version = tower_breaker::circuit::Version::new(0, 1);
    let expected = tower_breaker::store::Expected::version(Lane::State, version);
    store.remove(&service("payments"), expected).await.unwrap();
    assert_eq!(store.forget_tombstones(Duration::ZERO, 9).await.unwrap(), 1);
    let lease = store.lease("work", RunId::random(), Duration::MAX).await.unwrap().unwrap();
    assert!(store.renew(&lease).await.unwrap());
    assert!(store.release(&lease).await.unwrap());
    let at = tower_breaker::store::Timestamp::EPOCH;
    let row = tower_breaker::store::InstanceRow::new(RunId::random(), "host".to_owned(), at);
    store.publish(&row).await.unwrap();
    assert_eq!(store.instances(secs(60)).await.unwrap().len(), 1);
    store.retire(row.run).await.unwrap();
    store.publish(&row).await.unwrap();
    assert_eq!(store.forget_instances(Duration::ZERO, 9).await.unwrap(), 1);
    assert!(names(&store).await.is_empty());
}

#[tokio::test]
async fn a_user_who_may_not_subscribe_is_told_at_an_interval_and_a_log_says_so_once() {
    let (log, _guard) = Log::start();
    let server = OwnServer::start(&[]).await;
    let rules = ["~*", "&*", "+@all", "-subscribe"];
    let builder = user(&server, "deaf", &rules).await.poll_interval(Duration::from_millis(20));
    let store = builder.connect().await.unwrap();
    let mut hints = store.watch();
    for _ in 0..5 {
        assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    }
    let mut raw = server.raw().await;
    raw.ask::<u32>("CLIENT", ("KILL", "TYPE", "normal", "SKIPME", "yes")).await;
    for _ in 0..5 {
        assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    }
    let said = log.text();
    assert_eq!(said.matches("changes are found by polling").count(), 1, "{said}");
}

#[tokio::test]
async fn a_user_without_channels_writes_all_the_same() {
    let (log, _guard) = Log::start();
    let server = OwnServer::start(&[]).await;
    let rules = ["~*", "resetchannels", "+@all"];
    let builder = user(&server, "mute", &rules).await.poll_interval(Duration::from_millis(20));
    let store = builder.connect().await.unwrap();
    for counter in 1..=3 {
        write(&store, Lane::State, &open("payments", counter)).await.unwrap();
    }
    let found = store.load(&service("payments")).await.unwrap().unwrap();
    assert_eq!(found.version(Lane::State).counter, 3);
    let mut hints = store.watch();
    for _ in 0..3 {
        assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    }
    assert_eq!(log.text().matches("changes are found by polling").count(), 1);
}

#[tokio::test]
async fn a_user_who_may_not_run_scripts_is_told_what_to_allow() {
    let server = OwnServer::start(&[]).await;
    let rules = ["~*", "&*", "+@all", "-@scripting"];
    let error = user(&server, "plain", &rules).await.connect().await.unwrap_err();
    assert!(matches!(error, StoreError::Configuration { .. }), "{error:?}");
    assert!(error.to_string().contains("EVALSHA"), "{error}");
}

#[tokio::test]
async fn a_user_who_may_only_read_reads_and_is_told_what_to_allow() {
    let server = OwnServer::start(&[]).await;
    let writer = server.builder().connect().await.unwrap();
    for name in ["payments", "evicted"] {
        write(&writer, Lane::State, &open(name, 1)).await.unwrap();
    }
    server.raw().await.ask::<()>("DEL", "{tower-breaker}:circuit:evicted").await;
    let rules = ["~*", "&*", "+@all", "-@write"];
    let store = user(&server, "reader", &rules).await.connect().await.unwrap();
    assert!(store.load(&service("payments")).await.unwrap().is_some());
    assert_eq!(names(&store).await, ["payments"]);
    let error = write(&store, Lane::State, &open("payments", 2)).await.unwrap_err();
    assert!(matches!(error, StoreError::Configuration { .. }), "{error:?}");
    assert!(error.to_string().contains("may not do what the store needs"), "{error}");
    let found = writer.load(&service("payments")).await.unwrap().unwrap();
    assert_eq!(found.version(Lane::State).counter, 1);
    assert!(store.lease("work", RunId::random(), secs(1)).await.is_err());
}

#[tokio::test]
async fn a_user_of_other_keys_is_told_what_to_allow() {
    let server = OwnServer::start(&[]).await;
    let rules = ["~other:*", "&*", "+@all"];
    let error = user(&server, "stranger", &rules).await.connect().await.unwrap_err();
    assert!(matches!(error, StoreError::Configuration { .. }), "{error:?}");
    assert!(error.to_string().contains("keys with its prefix"), "{error}");
}

/// Wrong or right, it is in no error, no debug output and no log.
#[tokio::test]
async fn a_password_is_never_shown() {
    let (log, _guard) = Log::start();
    let server = OwnServer::start(&["--requirepass", "another"]).await;
    let port = server.port;
    let mut shown = String::new();
    for url in [
        format!("redis://:{PASSWORD}@127.0.0.1:{port}"),
        format!("redis://somebody:{PASSWORD}@127.0.0.1:{port}"),
        format!("redis://127.0.0.1:{port}"),
        format!("redis://:{PASSWORD}@127.0.0.1:1"),
        format!("redis://:{PASSWORD}@host:port"),
        format!("redis://:{PASSWORD}@"),
        format!("redis://:{PASSWORD}@127.0.0.1:{port}/{PASSWORD}"),
        format!("redis://127.0.0.1:{port}?protocol={PASSWORD}"),
        format!("rediss://:{PASSWORD}@127.0.0.1:{port}#{PASSWORD}"),
        PASSWORD.to_owned(),
        format!("https://:{PASSWORD}@127.0.0.1"),
    ] {
        let builder = tower_breaker::store::redis::RedisStore::builder(&url);
        shown += &format!("{builder:?}");
        let error = builder.connect().await.unwrap_err();
        shown += &format!("{error} {error:?}\n");
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            shown += &format!("{error} {error:?}\n");
            source = error.source();
        }
        if !url.contains(":1") || url.contains(&port.to_string()) && !url.contains('#') {
            assert!(matches!(error, StoreError::Configuration { .. }), "{url}: {error:?}");
        }
    }
    let url = format!("redis://:another@127.0.0.1:{port}");
    let store = tower_breaker::store::redis::RedisStore::connect(&url).await.unwrap();
    shown += &format!("{store:?}");
    shown += &log.text();
    assert!(!shown.contains(PASSWORD) && !shown.contains("another@"), "{shown}");
    assert!(shown.contains("check user and password"), "{shown}");
}
