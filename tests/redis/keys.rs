//! What is in the keys, and how long they are kept.

use std::time::Duration;

use serde_json::json;
use tower_breaker::{
    circuit::Version,
    store::{Expected, FleetStore, InstanceRow, Lane, RunId, StateStore, Stored, Timestamp},
};

use crate::{
    redis_servers::{TestRedis, secs},
    support::{forced_open, names, open, service, write},
};

const DAY: i64 = 86_400;

#[tokio::test]
async fn a_person_can_read_a_record() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut next = open("payments", 7);
    next.extra.insert("zone".to_owned(), json!("eu"));
    write(&store, Lane::State, &next).await.unwrap();
    let mut raw = redis.raw().await;
    let key = redis.key("circuit:payments");
    let fields: Vec<String> =
        raw.ask("HMGET", (&key, "format", "kind", "state.version", "override.version")).await;
    assert_eq!(fields, ["1", "record", "0.7", "0.0"]);
    let (state, zone): (String, String) = raw.ask("HMGET", (&key, "state", "extra:zone")).await;
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    assert_eq!((&state["state"], &state["open_for"]), (&json!("open"), &json!(30_000_000)));
    assert!(state.get("version").is_none(), "a version is in one place alone: {state}");
    assert_eq!(zone, "\"eu\"");
}

#[tokio::test]
async fn a_field_that_something_else_wrote_is_left_alone() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    write(&store, Lane::State, &open("payments", 1)).await.unwrap();
    let mut raw = redis.raw().await;
    let key = redis.key("circuit:payments");
    raw.ask::<()>("HSET", (&key, "note", b"\xff")).await;
    write(&store, Lane::State, &open("payments", 2)).await.unwrap();
    let note: Vec<u8> = raw.ask("HGET", (&key, "note")).await;
    assert_eq!(note, b"\xff");
    let found = store.load(&service("payments")).await.unwrap().unwrap();
    assert_eq!(found.version(Lane::State), Version::new(0, 2));
}

#[tokio::test]
async fn records_are_kept_a_day_at_least_and_their_open_time_longer() {
    let redis = TestRedis::new();
    let store = redis.builder().ttl(secs(1)).connect().await.unwrap();
    let mut raw = redis.raw().await;
    write(&store, Lane::State, &open("short", 1)).await.unwrap();
    let mut long = open("long", 1);
    long.state.open_for = Duration::from_secs(DAY.unsigned_abs() * 3);
    write(&store, Lane::State, &long).await.unwrap();
    let mut endless = open("endless", 1);
    endless.state.open_for = Duration::MAX;
    write(&store, Lane::State, &endless).await.unwrap();
    for (name, least) in [("short", DAY), ("long", DAY * 4)] {
        let left: i64 = raw.ask("TTL", redis.key(&format!("circuit:{name}"))).await;
        assert!((least - 60..=least + 60).contains(&left), "{name} is kept {left} s");
    }
    let left: i64 = raw.ask("TTL", redis.key("circuit:endless")).await;
    assert_eq!(left, -1);
    let expected = Expected::version(Lane::State, Version::new(0, 1));
    store.remove(&service("short"), expected).await.unwrap();
    let left: i64 = raw.ask("TTL", redis.key("circuit:short")).await;
    assert!((DAY - 60..=DAY).contains(&left), "a tombstone is kept {left} s");
    let row = InstanceRow::new(RunId::random(), "host".to_owned(), Timestamp::EPOCH);
    store.publish(&row).await.unwrap();
    let left: i64 = raw.ask("TTL", redis.key(&format!("instance:{}", row.run))).await;
    assert!((DAY - 60..=DAY).contains(&left), "a row is kept {left} s");
}

#[tokio::test]
async fn what_a_person_set_does_not_run_out() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut raw = redis.raw().await;
    let key = redis.key("circuit:payments");
    write(&store, Lane::State, &open("payments", 1)).await.unwrap();
    assert!(raw.ask::<i64>("TTL", &key).await > DAY);
    write(&store, Lane::Override, &forced_open("payments", 1)).await.unwrap();
    assert_eq!(raw.ask::<i64>("TTL", &key).await, -1);
    // Another lane does not begin it anew.
    write(&store, Lane::State, &open("payments", 2)).await.unwrap();
    assert_eq!(raw.ask::<i64>("TTL", &key).await, -1);
    let mut settings = open("payments", 0);
    settings.settings.version = Version::new(0, 1);
    settings.settings.changes.insert("failure_threshold".to_owned(), json!(9));
    write(&store, Lane::Settings, &settings).await.unwrap();
    let mut lifted = forced_open("payments", 2);
    lifted.override_.value = None;
    write(&store, Lane::Override, &lifted).await.unwrap();
    assert_eq!(raw.ask::<i64>("TTL", &key).await, -1, "its settings are changed");
    settings.settings.version = Version::new(0, 2);
    settings.settings.changes.clear();
    write(&store, Lane::Settings, &settings).await.unwrap();
    assert!(raw.ask::<i64>("TTL", &key).await > DAY, "nothing is set any more");
}

#[tokio::test]
async fn a_lease_is_kept_beyond_its_term_and_not_for_ever() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut raw = redis.raw().await;
    store.lease("short", RunId::random(), secs(1)).await.unwrap().unwrap();
    store.lease("endless", RunId::random(), Duration::MAX).await.unwrap().unwrap();
    assert!(raw.ask::<i64>("TTL", redis.key("lease:short")).await >= DAY);
    assert_eq!(raw.ask::<i64>("TTL", redis.key("lease:endless")).await, -1);
}

#[tokio::test]
async fn databases_are_apart_and_so_are_prefixes() {
    let redis = TestRedis::new();
    let of_database = |number: u32| {
        let mut redis = TestRedis::new();
        redis.url = format!("{}/{number}", redis.url.trim_end_matches('/'));
        redis
    };
    let (second, third) = (of_database(1), of_database(2));
    let builder = second.builder().prefix("shared-by-databases");
    let one = builder.connect().await.unwrap();
    let other = third.builder().prefix("shared-by-databases").connect().await.unwrap();
    let name = format!("of {}", second.prefix);
    write(&one, Lane::State, &open(&name, 1)).await.unwrap();
    assert!(names(&one).await.contains(&name));
    assert!(!names(&other).await.contains(&name));
    assert!(names(&redis.store().await).await.is_empty());
    let expected = Expected::version(Lane::State, Version::new(0, 1));
    one.remove(&service(&name), expected).await.unwrap();
    assert!(one.forget_tombstones(Duration::ZERO, 1_000).await.unwrap() >= 1);
}

/// Many pages of the index.
#[tokio::test(flavor = "multi_thread")]
async fn load_all_reads_more_circuits_than_one_script_does() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    for number in 0..1_001 {
        let next = open(&format!("s{number}"), 1);
        let expected = Expected::missing(Lane::State);
        store.compare_and_swap(expected, &next, None).await.unwrap();
    }
    let loaded = store.load_all(None).await.unwrap();
    assert_eq!(loaded.stored.len(), 1_001);
    assert!(store.load_all(Some(loaded.cursor)).await.unwrap().stored.is_empty());
    write(&store, Lane::State, &open("s0", 2)).await.unwrap();
    let changed = store.load_all(Some(loaded.cursor)).await.unwrap().stored;
    assert_eq!(changed.iter().map(Stored::service).collect::<Vec<_>>(), [&service("s0")]);
}
