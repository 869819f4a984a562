//! Keys that went by themselves.

use tower_breaker::{
    circuit::Version,
    store::{Expected, FleetStore, InstanceRow, Lane, RunId, StateStore, Timestamp},
};

use crate::{
    redis_servers::{OwnServer, TestRedis, secs},
    support::{names, open, service, write},
};

#[tokio::test]
async fn a_record_that_went_is_missing_and_its_entry_goes_too() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut raw = redis.raw().await;
    for name in ["a", "b"] {
        write(&store, Lane::State, &open(name, 1)).await.unwrap();
    }
    raw.ask::<()>("DEL", redis.key("circuit:a")).await;
    assert!(store.load(&service("a")).await.unwrap().is_none());
    assert_eq!(names(&store).await, ["b"]);
    let left: Vec<String> = raw.ask("ZRANGE", (redis.key("changes"), 0, -1)).await;
    assert!(!left.contains(&"a".to_owned()), "{left:?}");
    // None: it is as if it had never been there.
    let expected = Expected::missing(Lane::State);
    store.compare_and_swap(expected, &open("a", 5), None).await.unwrap();
    assert_eq!(names(&store).await, ["a", "b"]);
}

#[tokio::test]
async fn a_tombstone_or_a_row_that_went_is_no_trouble() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut raw = redis.raw().await;
    for name in ["a", "b"] {
        write(&store, Lane::State, &open(name, 1)).await.unwrap();
        let expected = Expected::version(Lane::State, Version::new(0, 1));
        store.remove(&service(name), expected).await.unwrap();
    }
    raw.ask::<()>("DEL", redis.key("circuit:a")).await;
    assert_eq!(store.forget_tombstones(secs(0), 10).await.unwrap(), 1);
    assert!(names(&store).await.is_empty());
    let row = InstanceRow::new(RunId::random(), "host".to_owned(), Timestamp::EPOCH);
    store.publish(&row).await.unwrap();
    raw.ask::<()>("DEL", redis.key(&format!("instance:{}", row.run))).await;
    assert!(store.instances(secs(60)).await.unwrap().is_empty());
    assert_eq!(raw.ask::<u32>("ZCARD", redis.key("instances")).await, 0);
}

/// The index went and the records did not: readers are not told less than there is for long, since
/// whoever writes to a circuit puts it back, also where the write is refused.
#[tokio::test]
async fn an_index_that_went_is_built_again_by_those_who_write() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut raw = redis.raw().await;
    for name in ["a", "b", "c"] {
        write(&store, Lane::State, &open(name, 1)).await.unwrap();
    }
    let before = store.load_all(None).await.unwrap().cursor;
    raw.ask::<()>("DEL", redis.key("changes")).await;
    write(&store, Lane::State, &open("a", 2)).await.unwrap();
    let expected = Expected::missing(Lane::State);
    let refused = store.compare_and_swap(expected, &open("b", 9), None).await;
    assert!(refused.unwrap_err().is_conflict());
    assert_eq!(names(&store).await, ["a", "b"]);
    let since = store.load_all(Some(before)).await.unwrap();
    assert_eq!(since.stored.len(), 2, "an old cursor is none of the new index: {since:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_that_evicts_gives_missing_records_and_goes_on() {
    let server = OwnServer::start(&["--maxmemory", "3mb", "--maxmemory-policy", "volatile-ttl"]);
    let server = server.await;
    let store = server.builder().operation_timeout(secs(10)).connect().await.unwrap();
    const CIRCUITS: usize = 3_000;
    for number in 0..CIRCUITS {
        let mut next = open(&format!("s{number}"), 1);
        next.state.reason = Some("x".repeat(1_000));
        let expected = Expected::missing(Lane::State);
        store.compare_and_swap(expected, &next, None).await.unwrap();
    }
    let left = names(&store).await.len();
    assert!(left < CIRCUITS, "all {left} of {CIRCUITS} circuits are there: nothing was evicted");
    let mut raw = server.raw().await;
    let entries: usize = raw.ask("ZCARD", "{tower-breaker}:changes").await;
    assert!(entries < CIRCUITS, "the index has {entries} entries for {left} circuits");
    let mut missing = 0;
    for number in 0..CIRCUITS {
        let found = store.load(&service(&format!("s{number}"))).await.unwrap();
        missing += usize::from(found.is_none());
    }
    assert!(missing > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_that_does_not_evict_refuses_whole_writes() {
    let server = OwnServer::start(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    let server = server.await;
    let store = server.builder().operation_timeout(secs(10)).connect().await.unwrap();
    let mut written = 0;
    let error = loop {
        let mut next = open(&format!("s{written}"), 1);
        next.state.reason = Some("x".repeat(1_000));
        let expected = Expected::missing(Lane::State);
        match store.compare_and_swap(expected, &next, None).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100_000, "the server has no end");
    };
    assert!(error.is_unavailable(), "{error:?}");
    assert_eq!(names(&store).await.len(), written, "half a write is there");
    assert!(store.load(&service(&format!("s{written}"))).await.unwrap().is_none());
}
