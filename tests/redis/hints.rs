//! Hints between connections.

use tower_breaker::store::{ChangeHint, Lane, StateStore};

use crate::{
    redis_servers::{OwnServer, TestRedis},
    support::{eventually, hint, hint_of, open, service, write},
};

#[tokio::test]
async fn a_stream_of_hints_keeps_the_connection_and_can_be_made_outside_of_a_runtime() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let builder = redis.builder();
    let made = std::thread::spawn(move || builder.connect_lazy().unwrap().watch());
    let mut hints = made.join().unwrap();
    assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    // Of the subscription: what comes before it may be missed.
    assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    write(&store, Lane::State, &open("payments", 1)).await.unwrap();
    hint_of(&mut hints, &ChangeHint::Changed(service("payments"))).await;
}

#[tokio::test]
async fn a_watcher_that_lags_is_told_to_look_at_everything() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut hints = store.watch();
    assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    for counter in 1..=1_100 {
        write(&store, Lane::State, &open("payments", counter)).await.unwrap();
    }
    // The answer to a write may come before its hint does.
    hint_of(&mut hints, &ChangeHint::Resync).await;
}

#[tokio::test]
async fn prefixes_do_not_hear_each_other() {
    let (redis, other) = (TestRedis::new(), TestRedis::new());
    let (store, elsewhere) = (redis.store().await, other.store().await);
    let mut hints = store.watch();
    assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    write(&elsewhere, Lane::State, &open("elsewhere", 1)).await.unwrap();
    write(&store, Lane::State, &open("here", 1)).await.unwrap();
    assert_eq!(hint(&mut hints).await, ChangeHint::Changed(service("here")));
}

/// The server closes the connection: a new one is made, and what was missed is made good.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_killed_is_replaced_and_says_resync() {
    let server = OwnServer::start(&[]).await;
    let store = server.builder().connect().await.unwrap();
    let mut hints = store.watch();
    assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    let mut raw = server.raw().await;
    for round in 1..=5 {
        for kind in ["normal", "pubsub"] {
            raw.ask::<u32>("CLIENT", ("KILL", "TYPE", kind, "SKIPME", "yes")).await;
        }
        hint_of(&mut hints, &ChangeHint::Resync).await;
        let next = open("payments", round);
        eventually("a write", || write(&store, Lane::State, &next)).await;
        hint_of(&mut hints, &ChangeHint::Changed(service("payments"))).await;
    }
}

#[tokio::test]
async fn a_store_that_is_dropped_closes_its_connection() {
    let server = OwnServer::start(&[]).await;
    let mut raw = server.raw().await;
    for _ in 0..5 {
        let store = server.builder().connect().await.unwrap();
        drop(store.watch());
        drop(store);
    }
    let closed = server.builder().connect().await.unwrap();
    closed.close();
    let error = closed.load(&service("payments")).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    // The answer takes a moment: the server notices by itself.
    for _ in 0..500 {
        let clients: String = raw.ask("CLIENT", "LIST").await;
        if clients.lines().count() == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("connections are left: {}", raw.ask::<String>("CLIENT", "LIST").await);
}
