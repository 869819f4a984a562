//! Writing and asking the history.

use std::time::Duration;

use tower_breaker::{
    State,
    circuit::Version,
    store::{
        AlertQuery, AlertRecord, EventKind, EventQuery, EventRecord, FleetStore, HistoryStore,
        InstanceRow, MetricBucket, MetricQuery, PatternQuery, PatternRecord, Prune, Resolution,
        RunId, Severity, Silence, Timestamp, TraceId, Vote, WindowSummary,
    },
};

use crate::{
    databases,
    records::{event, service},
};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("a time")
}

#[tokio::test]
async fn events_are_kept_once_and_come_back_as_they_were() {
    for (store, database) in databases::all().await {
        let (one, two) = (RunId::random(), RunId::random());
        let mut full = event(one, 0, "a", EventKind::StateChange);
        full.from = Some(State::Closed);
        full.to = Some(State::Open);
        full.version = Some(Version::new(1, 2));
        full.reason = Some("failure_rate".to_owned());
        full.error_type = Some("io::Error".to_owned());
        full.error_message = Some("connection refused: größe \"'; --".to_owned());
        full.elapsed = Some(Duration::from_micros(1234));
        full.admitted = Some(i64::MAX as u64);
        full.generation = Some(3);
        full.weight = u32::MAX;
        full.trace_id = TraceId::new(0xabc);
        full.data.insert("a".to_owned(), serde_json::json!({"b": [1, "x", null]}));
        let mut events = vec![full];
        events.extend((1..=260).map(|sequence| event(one, sequence, "b", EventKind::Failure)));
        events.push(event(two, 1, "b", EventKind::Slow));
        assert_eq!(store.append(&events).await.expect("written"), 262, "{}", database.url);
        assert_eq!(store.append(&events).await.expect("written"), 0, "{}", database.url);

        let mut query = EventQuery::all();
        query.limit = 100;
        let mut found = Vec::new();
        loop {
            let page = store.events(&query).await.expect("a page");
            found.extend(page.items);
            query.page = page.next;
            if query.page.is_none() {
                break;
            }
        }
        events.sort_by_key(|event| event.at);
        assert_eq!(found[0], events[0]);
        assert_eq!(found.len(), events.len());
        assert!(found.iter().all(|event| events.contains(event)));

        let mut query = EventQuery::of(service("b"));
        query.kinds = vec![EventKind::Slow, EventKind::Probe];
        query.newest_first = true;
        let page = store.events(&query).await.expect("a page");
        assert_eq!(page.items, [events.iter().find(|event| event.id.run == two).unwrap().clone()]);
        assert_eq!(store.prune(Prune::Events, Timestamp::MAX, 200).await.expect("pruned"), 200);
        assert_eq!(store.prune(Prune::Events, Timestamp::MAX, 200).await.expect("pruned"), 62);
    }
}

#[tokio::test]
async fn a_bucket_takes_the_place_of_the_one_with_its_key() {
    for (store, _database) in databases::all().await {
        let run = RunId::random();
        let mut bucket = MetricBucket::new(service("a"), run, Resolution::Second, at(5_500_000));
        let early = bucket.clone();
        bucket.counts.succeeded = 7;
        bucket.counts.unavailable = Duration::from_micros(99);
        bucket.latencies.record(Duration::from_millis(3), 7);
        let other = MetricBucket::new(service("b"), RunId::random(), Resolution::Second, at(1));
        let minute = MetricBucket::new(service("a"), run, Resolution::Minute, at(1));
        let all = [early, bucket.clone(), other.clone(), minute.clone()];
        store.upsert_metrics(&all).await.expect("written");
        store.upsert_metrics(&[bucket.clone()]).await.expect("written");
        let query = MetricQuery::new(Resolution::Second);
        assert_eq!(store.metrics(&query).await.expect("read").items, [other, bucket.clone()]);
        let mut query = MetricQuery::new(Resolution::Second);
        query.service = Some(service("a"));
        query.limit = 1;
        let page = store.metrics(&query).await.expect("read");
        assert_eq!((page.items, page.next), (vec![bucket], None));
        let before = at(2_000_000);
        let pruned = store.prune(Prune::Metrics(Resolution::Second), before, 10).await;
        assert_eq!(pruned.expect("pruned"), 1);
        let minutes = store.metrics(&MetricQuery::new(Resolution::Minute)).await.expect("read");
        assert_eq!(minutes.items, [minute]);
    }
}

#[tokio::test]
async fn patterns_alerts_and_silences_are_one_row_each() {
    for (store, _database) in databases::all().await {
        let mut pattern =
            PatternRecord::new("a/burst".to_owned(), service("a"), "burst".to_owned(), at(5));
        pattern.suggested_timeout = Some(Duration::from_micros(90_000_001));
        pattern.confidence = 0.85;
        store.upsert_pattern(&pattern).await.expect("written");
        pattern.last_seen = at(9);
        store.upsert_pattern(&pattern).await.expect("written");
        let patterns = store.patterns(&PatternQuery::default()).await.expect("read");
        assert_eq!(patterns, [pattern]);

        let mut alert =
            AlertRecord::new("k".to_owned(), "opened".to_owned(), Severity::Error, at(1));
        alert.service = Some(service("a"));
        assert_eq!(store.raise_alert(&alert).await.expect("raised"), alert);
        alert.last_at = at(3);
        let again = store.raise_alert(&alert).await.expect("raised");
        assert_eq!((again.count, again.first_at, again.last_at), (2, at(1), at(3)));
        assert!(store.acknowledge_alert("k", "ann", at(4)).await.expect("noted"));
        assert!(!store.acknowledge_alert("k", "bob", at(5)).await.expect("noted"));
        assert!(store.resolve_alert("k", at(6)).await.expect("ended"));
        assert!(!store.resolve_alert("k", at(7)).await.expect("ended"));
        assert_eq!(store.raise_alert(&alert).await.expect("raised").count, 1, "another incident");
        let alerts = store.alerts(&AlertQuery::default()).await.expect("read");
        assert_eq!(alerts.len(), 2);
        let mut open = AlertQuery::default();
        (open.unresolved, open.unacknowledged) = (true, true);
        assert_eq!(store.alerts(&open).await.expect("read").len(), 1);

        let mut silence = Silence::new("s".to_owned(), at(1), at(9), "ann".to_owned());
        silence.kind = Some("opened".to_owned());
        store.put_silence(&silence).await.expect("written");
        assert_eq!(store.silences(at(8)).await.expect("read"), [silence.clone()]);
        assert_eq!(store.silences(at(9)).await.expect("read"), []);
        assert_eq!(store.prune(Prune::Alerts, at(10), 10).await.expect("pruned"), 2);
        store.put_silence(&silence).await.expect("written");
        silence.until = at(0);
        store.put_silence(&silence).await.expect("removed");
        assert_eq!(store.silences(at(0)).await.expect("read"), []);
    }
}

#[tokio::test]
async fn a_lease_is_held_by_one() {
    for (store, _database) in databases::all().await {
        let (one, two) = (RunId::random(), RunId::random());
        let minute = Duration::from_secs(60);
        let held = store.lease("prune", one, minute).await.expect("asked").expect("free");
        assert_eq!(store.lease("prune", two, minute).await.expect("asked"), None);
        assert_eq!(store.lease("prune", one, minute).await.expect("asked"), None);
        assert!(store.renew(&held).await.expect("renewed"));
        let mut forged = held.clone();
        forged.token ^= 1;
        assert!(!store.renew(&forged).await.expect("asked"));
        assert!(!store.release(&forged).await.expect("asked"));
        assert!(store.release(&held).await.expect("released"));
        let short = store.lease("prune", two, Duration::ZERO).await.expect("asked").expect("free");
        assert!(store.renew(&short).await.expect("nobody took it"));
        assert!(store.lease("prune", one, Duration::MAX).await.expect("asked").is_some());
        assert!(!store.renew(&short).await.expect("somebody took it"));
    }
}

#[tokio::test]
async fn a_process_tells_of_itself_until_it_retires() {
    for (store, _database) in databases::all().await {
        let mut row = InstanceRow::new(RunId::random(), "host/1".to_owned(), at(5));
        let version = Version::new(0, 1);
        let open_for = Duration::from_secs(60);
        row.votes = vec![Vote { service: service("a"), version, open_for }];
        row.windows =
            vec![WindowSummary { service: service("a"), calls: 9, failures: 5, slow_calls: 0 }];
        row.extra.insert("new".to_owned(), 1.into());
        store.publish(&row).await.expect("written");
        row.name = "host/2".to_owned();
        store.publish(&row).await.expect("written");
        let mut rows = store.instances(Duration::from_secs(60)).await.expect("read");
        assert!(rows[0].age < Duration::from_secs(2));
        rows[0].age = Duration::ZERO;
        assert_eq!(rows, [row.clone()]);
        store.append(&[event(row.run, 1, "a", EventKind::Failure)]).await.expect("written");
        store.retire(row.run).await.expect("retired");
        assert_eq!(store.instances(Duration::MAX).await.expect("read"), []);
        store.publish(&row).await.expect("written");
        assert_eq!(store.forget_instances(Duration::from_secs(60), 10).await.expect("none"), 0);
        assert_eq!(store.forget_instances(Duration::ZERO, 10).await.expect("one"), 1);
        let events = store.events(&EventQuery::all()).await.expect("read").items;
        assert_eq!(events[0].id.run, row.run, "events outlive the row of their process");
    }
}

#[tokio::test]
async fn a_batch_of_any_length_is_written_once() {
    for (store, database) in databases::all().await {
        for length in [1, 2, 3, 5, 255, 256, 257, 600] {
            let runs = [RunId::random(), RunId::random()];
            // Now of one run, now of the other.
            let events: Vec<EventRecord> = (0..length)
                .map(|number| {
                    let run = runs[usize::from(number % 100 >= 50)];
                    let mut event = event(run, number, "a", EventKind::Failure);
                    event.error_type = (number % 3 == 0).then(|| format!("type {number}"));
                    event
                })
                .collect();
            assert_eq!(store.append(&events).await.expect("written"), length);
            assert_eq!(store.append(&events).await.expect("known"), 0);
            let mut written = Vec::new();
            let mut query = EventQuery::all();
            loop {
                let page = store.events(&query).await.expect("read");
                written.extend(page.items.into_iter().filter(|it| runs.contains(&it.id.run)));
                match page.next {
                    Some(next) => query.page = Some(next),
                    None => break,
                }
            }
            assert_eq!(written, events, "{length} of them on {}", database.url);
        }
    }
}
