//! Servers that die, hang, and come back with nothing.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use tower_breaker::{
    circuit::Version,
    store::{
        ChangeHint, Committed, Expected, FleetStore, Lane, RunId, StateStore, StoreError, Stored,
        redis::RedisStore,
    },
};

use crate::{
    redis_servers::{OwnServer, secs},
    support::{eventually, hint, hint_of, names, open, service, timed, write},
};

/// No operation takes its time to find out what is known: the server is away.
async fn fails_at_once(store: &RedisStore) {
    for _ in 0..20 {
        let (answer, took) = timed(store.load(&service("payments"))).await;
        assert!(answer.as_ref().is_err_and(StoreError::is_unavailable), "{answer:?}");
        assert!(took < Duration::from_millis(100), "it took {took:?} to fail");
    }
    let expected = Expected::missing(Lane::State);
    let payments = service("payments");
    let record = open("payments", 9);
    let unavailable = |error: Option<StoreError>| {
        assert!(error.as_ref().is_some_and(StoreError::is_unavailable), "{error:?}");
    };
    unavailable(store.compare_and_swap(expected, &record, None).await.err());
    unavailable(store.remove(&payments, expected).await.err());
    unavailable(store.load_all(None).await.err());
    unavailable(store.forget_tombstones(secs(1), 1).await.err());
    unavailable(store.lease("work", RunId::random(), secs(1)).await.err());
    unavailable(store.instances(secs(1)).await.err());
}

async fn load(store: &RedisStore) -> Result<Option<Stored>, StoreError> {
    store.load(&service("payments")).await
}

async fn written(store: &RedisStore) -> Result<Committed, StoreError> {
    write(store, Lane::State, &open("payments", 1)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_comes_back_empty_has_nothing_and_not_version_zero() {
    let mut server = OwnServer::start(&[]).await;
    let store = server.builder().connect().await.unwrap();
    let mut hints = store.watch();
    assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    for counter in 1..=20 {
        write(&store, Lane::State, &open("payments", counter)).await.unwrap();
    }
    let before = store.load_all(None).await.unwrap().cursor;
    server.kill();
    eventually("the loss", || async { store.load(&service("payments")).await.map_or(Ok(()), Err) })
        .await;
    fails_at_once(&store).await;
    server.again().await;
    let found = eventually("an answer", || load(&store)).await;
    assert!(found.is_none(), "{found:?}");
    hint_of(&mut hints, &ChangeHint::Resync).await;

    // Scripts went with the server, and so did the order of changes.
    let expected = Expected::version(Lane::State, Version::new(0, 20));
    let lost = store.compare_and_swap(expected, &open("payments", 21), None).await;
    assert!(matches!(lost, Err(StoreError::Conflict { current: None })), "{lost:?}");
    let expected = Expected::missing(Lane::State);
    store.compare_and_swap(expected, &open("payments", 20), None).await.unwrap();
    for name in ["a", "b", "c"] {
        write(&store, Lane::State, &open(name, 1)).await.unwrap();
    }
    let since = store.load_all(Some(before)).await.unwrap();
    assert_eq!(since.stored.len(), 4, "a cursor of the server before hides nothing: {since:?}");
    for counter in 21..=60 {
        write(&store, Lane::State, &open("payments", counter)).await.unwrap();
    }
    let since = store.load_all(Some(before)).await.unwrap();
    assert_eq!(since.stored.len(), 4, "also where the new one counts further: {since:?}");
    hint_of(&mut hints, &ChangeHint::Changed(service("payments"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_costs_one_deadline_and_then_nothing() {
    let server = OwnServer::start(&[]).await;
    let builder = server.builder().operation_timeout(Duration::from_millis(300));
    let store = builder.connect().await.unwrap();
    let mut hints = store.watch();
    write(&store, Lane::State, &open("payments", 1)).await.unwrap();
    server.pause();
    let (answer, took) = timed(write(&store, Lane::State, &open("payments", 2))).await;
    assert!(answer.as_ref().is_err_and(StoreError::is_unavailable), "{answer:?}");
    let deadline = Duration::from_millis(250)..Duration::from_millis(2_000);
    assert!(deadline.contains(&took), "it failed after {took:?}");
    fails_at_once(&store).await;
    server.resume();
    hint_of(&mut hints, &ChangeHint::Resync).await;
    hint_of(&mut hints, &ChangeHint::Resync).await;
    let next = open("payments", 3);
    eventually("a write", || write(&store, Lane::State, &next)).await;
}

/// Nobody asks anything, and the network swallows what the server says: the connection is tried.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_noticed_without_an_operation() {
    let server = OwnServer::start(&[]).await;
    let builder = server.builder().operation_timeout(Duration::from_millis(100));
    let store = builder.ping_interval(Duration::from_millis(20)).connect().await.unwrap();
    server.pause();
    tokio::time::sleep(secs(1)).await;
    fails_at_once(&store).await;
    server.resume();
    eventually("an answer", || load(&store)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_can_start_while_its_server_is_away() {
    let mut server = OwnServer::start(&[]).await;
    server.kill();
    let refused = server.builder().connect().await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused:?}");
    let store = server.builder().connect_lazy().unwrap();
    let mut hints = store.watch();
    assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    eventually("a failure", || async { store.load_all(None).await.map_or(Ok(()), |_| Err(())) })
        .await;
    fails_at_once(&store).await;
    server.again().await;
    assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    eventually("a write", || written(&store)).await;
    assert_eq!(names(&store).await, ["payments"]);
}

/// The runtime that had the connection is gone, the store is not.
#[test]
fn a_store_goes_on_in_another_runtime() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let server = first.block_on(OwnServer::start(&[]));
    let store = first.block_on(server.builder().connect()).unwrap();
    drop(first);
    runtime().block_on(async {
        eventually("a write", || written(&store)).await;
    });
}

/// Futures that are dropped at any await, while the server is killed and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn dropped_calls_leave_the_store_working_through_restarts() {
    let mut server = OwnServer::start(&[]).await;
    let store = server.builder().connect().await.unwrap();
    for round in 0..3 {
        for polls in 0..6 {
            let next = open("payments", 100 * (round + 1) + polls);
            let mut call = pin!(write(&store, Lane::State, &next));
            for _ in 0..polls {
                let polled = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
                if polled.is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        if round == 1 {
            server.again().await;
        }
        eventually("an answer", || load(&store)).await;
    }
    let next = open("payments", 10_000);
    eventually("a write", || write(&store, Lane::State, &next)).await;
    let found = store.load(&service("payments")).await.unwrap().unwrap();
    assert_eq!(found.version(Lane::State), Version::new(0, 10_000));
}
