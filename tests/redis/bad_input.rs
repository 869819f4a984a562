//! Keys that anybody may have written to.

use std::time::Duration;

use tower_breaker::{
    circuit::Version,
    store::{
        ChangeHint, Cursor, Expected, FleetStore, InstanceRow, Lane, RunId, StateStore, StoreError,
        Timestamp,
    },
};

use crate::{
    redis_servers::TestRedis,
    support::{hint, hint_of, open, service, write},
};

fn says(error: &StoreError, parts: &[&str]) {
    let text = error.to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{error:?} does not say {parts:?}");
}

/// Every damage: the circuit is named, left as it is, and keeps no other from being read.
#[tokio::test]
async fn a_record_that_cannot_be_read_is_named_and_left_as_it_is() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut raw = redis.raw().await;
    for (case, (field, value, problem)) in [
        ("state.changed_at", "-5", "before 1970"),
        ("state.changed_at", "yesterday", "microseconds"),
        ("state.version", "7", "must be like 0.1"),
        ("state", r#"{"state":"open","cha"#, "not its JSON"),
        ("state", r#"{"state":"ajar"}"#, "not its JSON"),
        ("override", "7", "no object"),
        ("extra:zone", "eu", "not JSON"),
        ("format", "2", "a newer version wrote it"),
        ("kind", "invoice", "must be record or tombstone"),
        ("service", "other", "must be the row's"),
    ]
    .into_iter()
    .enumerate()
    {
        let (bad, good) = (format!("bad {case}"), format!("good {case}"));
        write(&store, Lane::State, &open(&bad, 1)).await.unwrap();
        write(&store, Lane::State, &open(&good, 1)).await.unwrap();
        let key = redis.key(&format!("circuit:{bad}"));
        raw.ask::<()>("HSET", (&key, field, value)).await;
        let error = store.load(&service(&bad)).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        says(&error, &[bad.as_str(), field, problem]);
        let loaded = store.load_all(None).await.unwrap();
        assert!(loaded.stored.iter().any(|stored| stored.service() == &service(&good)));
        assert_eq!(loaded.corrupt.len(), 1, "{:?}", loaded.corrupt);
        says(&loaded.corrupt[0], &[bad.as_str(), field, problem]);
        if matches!(field, "format" | "kind") {
            let expected = Expected::version(Lane::State, Version::new(0, 1));
            let answer = store.compare_and_swap(expected, &open(&bad, 2), None).await;
            says(&answer.unwrap_err(), &[bad.as_str(), field]);
            says(
                &store.remove(&service(&bad), expected).await.unwrap_err(),
                &[bad.as_str(), field],
            );
        }
        assert_eq!(raw.ask::<String>("HGET", (&key, field)).await, value);
        raw.ask::<()>("DEL", &key).await;
    }
}

#[tokio::test]
async fn a_truncated_record_is_no_missing_one() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    write(&store, Lane::State, &open("payments", 1)).await.unwrap();
    let key = redis.key("circuit:payments");
    let mut raw = redis.raw().await;
    raw.ask::<()>("HDEL", (&key, "state.version")).await;
    for expected in [
        Expected::missing(Lane::State),
        Expected::version(Lane::State, Version::new(0, 0)),
        Expected::version(Lane::State, Version::new(0, 1)),
    ] {
        let answer = store.compare_and_swap(expected, &open("payments", 2), None).await;
        says(&answer.unwrap_err(), &["payments", "state.version is missing"]);
    }
}

#[tokio::test]
async fn a_key_of_another_type_is_named_and_left_as_it_is() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut raw = redis.raw().await;
    write(&store, Lane::State, &open("good", 1)).await.unwrap();
    write(&store, Lane::State, &open("bad", 1)).await.unwrap();
    let key = redis.key("circuit:bad");
    raw.ask::<()>("DEL", &key).await;
    raw.ask::<()>("RPUSH", (&key, "a")).await;
    let wrong = ["bad", "a list but must hold a hash"];
    let error = store.load(&service("bad")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    says(&error, &wrong);
    let loaded = store.load_all(None).await.unwrap();
    assert_eq!(loaded.stored.len(), 1);
    says(&loaded.corrupt[0], &wrong);
    let expected = Expected::version(Lane::State, Version::new(0, 1));
    let answer = store.compare_and_swap(expected, &open("bad", 2), None).await;
    says(&answer.unwrap_err(), &wrong);
    says(&store.remove(&service("bad"), expected).await.unwrap_err(), &wrong);
    assert_eq!(raw.ask::<u32>("LLEN", &key).await, 1);
    write(&store, Lane::State, &open("good", 2)).await.unwrap();
}

#[tokio::test]
async fn leases_and_rows_that_cannot_be_read_are_named() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut raw = redis.raw().await;
    let second = Duration::from_secs(1);
    raw.ask::<()>("SET", (redis.key("lease:list"), "x")).await;
    raw.ask::<()>("HSET", (redis.key("lease:empty"), "since", "x")).await;
    for name in ["list", "empty"] {
        let error = store.lease(name, RunId::random(), second).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        says(&error, &["lease", name]);
    }
    assert!(store.lease("other", RunId::random(), second).await.unwrap().is_some());
    let row = InstanceRow::new(RunId::random(), "host".to_owned(), Timestamp::EPOCH);
    store.publish(&row).await.unwrap();
    let key = redis.key(&format!("instance:{}", row.run));
    for damage in ["{\"run\"", "7", r#"{"run":"00000000000000aa"}"#] {
        raw.ask::<()>("SET", (&key, damage)).await;
        let error = store.instances(second * 60).await.unwrap_err();
        says(&error, &["instance", &row.run.to_string()]);
    }
}

/// Another application uses the prefix for something else: an error, and its key is left alone.
#[tokio::test]
async fn an_index_of_something_else_is_an_error_that_says_so() {
    for damage in ["SET", "ZADD", "ZADD of the future"] {
        let redis = TestRedis::new();
        let mut raw = redis.raw().await;
        let key = redis.key("changes");
        let says_so = match damage {
            "SET" => {
                raw.ask::<()>("SET", (&key, "x")).await;
                "holds another type"
            }
            "ZADD" => {
                raw.ask::<()>("ZADD", (&key, 7, "invoice 12")).await;
                "`invoice 12`"
            }
            _ => {
                let mark = "tower-breaker\tformat=2\tincarnation=00000a";
                raw.ask::<()>("ZADD", (&key, 7, mark)).await;
                "format 2 but must have format 1"
            }
        };
        let error = redis.builder().connect().await.unwrap_err();
        assert!(matches!(error, StoreError::Schema { .. }), "{error:?}");
        says(&error, &[says_so]);
        let store = redis.builder().connect_lazy().unwrap();
        says(&store.load_all(None).await.unwrap_err(), &[says_so]);
        let expected = Expected::missing(Lane::State);
        let answer = store.compare_and_swap(expected, &open("payments", 1), None).await;
        says(&answer.unwrap_err(), &[says_so]);
        let left: u32 = raw.ask("EXISTS", redis.key("circuit:payments")).await;
        assert_eq!(left, 0, "nothing of a write that failed is there");
    }
}

#[tokio::test]
async fn tombstones_of_something_else_keep_half_a_write_from_being_there() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut raw = redis.raw().await;
    raw.ask::<()>("SET", (redis.key("tombstones"), "x")).await;
    let expected = Expected::missing(Lane::State);
    let answer = store.compare_and_swap(expected, &open("payments", 1), None).await;
    assert!(matches!(answer, Err(StoreError::Schema { .. })), "{answer:?}");
    assert!(store.load(&service("payments")).await.unwrap().is_none());
    assert_eq!(raw.ask::<u32>("EXISTS", redis.key("changes")).await, 0);
}

/// The server's clock went back, or somebody wrote it.
#[tokio::test]
async fn what_lies_in_the_future_has_no_age_and_does_not_run_out() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut raw = redis.raw().await;
    let later = "9007199254740991";
    write(&store, Lane::State, &open("payments", 1)).await.unwrap();
    let key = redis.key("circuit:payments");
    raw.ask::<()>("HSET", (&key, "state.changed_at", later)).await;
    let found = store.load(&service("payments")).await.unwrap().and_then(|found| found.record());
    assert_eq!(found.map(|record| record.age), Some(Duration::ZERO));
    let lease =
        store.lease("work", RunId::random(), Duration::from_secs(1)).await.unwrap().unwrap();
    raw.ask::<()>("HSET", (redis.key("lease:work"), "since", later)).await;
    let owner = RunId::random();
    assert!(store.lease("work", owner, Duration::from_secs(1)).await.unwrap().is_none());
    assert!(store.release(&lease).await.unwrap());
    let row = InstanceRow::new(owner, "host".to_owned(), Timestamp::EPOCH);
    store.publish(&row).await.unwrap();
    raw.ask::<()>("ZADD", (redis.key("instances"), later, owner.to_string())).await;
    let rows = store.instances(Duration::from_secs(60)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.age).collect::<Vec<_>>(), [Duration::ZERO]);
}

/// Documented: they are one fleet.
#[tokio::test]
async fn two_applications_with_one_prefix_share_their_circuits() {
    let redis = TestRedis::new();
    let (one, other) = (redis.store().await, redis.store().await);
    write(&one, Lane::State, &open("payments", 1)).await.unwrap();
    let expected = Expected::missing(Lane::State);
    let answer = other.compare_and_swap(expected, &open("payments", 1), None).await;
    assert!(answer.unwrap_err().is_conflict());
}

#[tokio::test]
async fn a_hint_that_names_no_circuit_is_one_to_look_at_everything() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    let mut hints = store.watch();
    assert_eq!(hint(&mut hints).await, ChangeHint::Resync);
    let mut raw = redis.raw().await;
    for strange in [&b"\xff"[..], b"", b"a\nb"] {
        raw.ask::<()>("PUBLISH", (redis.key("changed"), strange)).await;
        hint_of(&mut hints, &ChangeHint::Resync).await;
    }
    raw.ask::<()>("PUBLISH", (redis.key("changed"), "payments")).await;
    hint_of(&mut hints, &ChangeHint::Changed(service("payments"))).await;
}

#[tokio::test]
async fn a_cursor_of_another_store_is_the_beginning() {
    let redis = TestRedis::new();
    let store = redis.store().await;
    write(&store, Lane::State, &open("payments", 1)).await.unwrap();
    for strange in [0, 1, 7, u64::MAX, 1 << 40] {
        let loaded = store.load_all(Some(Cursor(strange))).await.unwrap();
        assert_eq!(loaded.stored.len(), 1, "{strange}");
    }
}
