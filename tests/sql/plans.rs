//! Every statement that the store makes finds its rows by an index.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tower_breaker::store::{
    AlertQuery, AlertRecord, Cursor, EventKind, EventQuery, FleetStore, HistoryStore, InstanceRow,
    Lane, MetricBucket, MetricQuery, PageToken, PatternQuery, PatternRecord, Prune, Resolution,
    RunId, Severity, Silence, StateStore, Timestamp, sql::SqlStore,
};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::{
    databases::TestDatabase,
    records::{after, event, first, open, service},
};

/// Does everything a store can do, once.
async fn everything(store: &SqlStore) {
    let (a, run, hour) = (service("a"), RunId::random(), Duration::from_secs(3600));
    let at = Timestamp::from_micros(5).expect("a time");
    let mut next = open("a", 2);
    next.extra.insert("a".to_owned(), 1.into());
    let note = event(run, 1, "a", EventKind::StateChange);
    store.compare_and_swap(first(Lane::State), &open("a", 1), Some(&note)).await.expect("written");
    store.compare_and_swap(after(Lane::State, 1), &next, Some(&note)).await.expect("written");
    store.load(&a).await.expect("read");
    store.load_all(Some(Cursor(1))).await.expect("read");
    store.remove(&a, after(Lane::State, 2)).await.expect("removed");
    store.forget_tombstones(hour, 10).await.expect("forgotten");

    store.append(&[event(run, 2, "a", EventKind::Failure)]).await.expect("written");
    for service in [None, Some(a.clone())] {
        let mut events = EventQuery::all();
        events.service = service.clone();
        events.kinds = vec![EventKind::Failure];
        store.events(&events).await.expect("read");
        events.newest_first = true;
        events.page = Some(PageToken(5, 5));
        store.events(&events).await.expect("read");
        let mut metrics = MetricQuery::new(Resolution::Second);
        metrics.service = service.clone();
        metrics.page = Some(PageToken(5, 5));
        store.metrics(&metrics).await.expect("read");
        let mut patterns = PatternQuery::default();
        patterns.service = service.clone();
        store.patterns(&patterns).await.expect("read");
        let mut alerts = AlertQuery::default();
        (alerts.service, alerts.unacknowledged, alerts.unresolved) = (service, true, true);
        store.alerts(&alerts).await.expect("read");
    }
    let bucket = MetricBucket::new(a.clone(), run, Resolution::Second, at);
    store.upsert_metrics(&[bucket]).await.expect("written");
    let pattern = PatternRecord::new("k".to_owned(), a, "burst".to_owned(), at);
    store.upsert_pattern(&pattern).await.expect("written");
    let mut alert = AlertRecord::new("k".to_owned(), "opened".to_owned(), Severity::Info, at);
    store.raise_alert(&alert).await.expect("raised");
    alert.resolved_at = Some(at);
    store.raise_alert(&alert).await.expect("raised");
    store.acknowledge_alert("k", "ann", at).await.expect("noted");
    store.resolve_alert("k", at).await.expect("ended");
    let mut silence = Silence::new("k".to_owned(), at, Timestamp::MAX, "ann".to_owned());
    store.put_silence(&silence).await.expect("written");
    store.silences(at).await.expect("read");
    silence.until = Timestamp::EPOCH;
    store.put_silence(&silence).await.expect("removed");
    for what in [Prune::Events, Prune::Metrics(Resolution::Second), Prune::Patterns, Prune::Alerts]
    {
        store.prune(what, at, 10).await.expect("pruned");
    }

    let lease = store.lease("work", run, hour).await.expect("asked").expect("free");
    store.renew(&lease).await.expect("renewed");
    store.release(&lease).await.expect("released");
    let row = InstanceRow::new(run, "host/1".to_owned(), at);
    store.publish(&row).await.expect("written");
    store.instances(hour).await.expect("read");
    store.retire(run).await.expect("retired");
    store.forget_instances(hour, 10).await.expect("forgotten");
}

/// What sqlx logs that it ran on SQLite. It does so on a thread of its own, for which only the
/// subscriber of the whole process is.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<Vec<Statement>>>);

impl<S: tracing::Subscriber> Layer<S> for Ran {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Text(String);
        impl Visit for Text {
            fn record_str(&mut self, field: &Field, value: &str) {
                // The summary is all there is of a statement that is short.
                let summary = field.name() == "summary" && self.0.is_empty();
                if summary || (field.name() == "db.statement" && !value.is_empty()) {
                    value.trim().clone_into(&mut self.0);
                }
            }

            fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
        }
        if event.metadata().target() == "sqlx::query" {
            let mut text = Text(String::new());
            event.record(&mut text);
            let ours =
                text.0.split("; ").filter(|statement| statement.contains("circuit_breaker_"));
            let ours = ours.map(|sql| Statement::from_string(sea_orm::DbBackend::Sqlite, sql));
            self.0.lock().expect("a list").extend(ours);
        }
    }
}

/// The plan of a statement, a step a line.
async fn plan(db: &DatabaseConnection, statement: &Statement) -> String {
    let backend = db.get_database_backend();
    let (explain, column) = match backend {
        sea_orm::DbBackend::Postgres => ("EXPLAIN ", 0),
        _ => ("EXPLAIN QUERY PLAN ", 3),
    };
    let mut explained = statement.clone();
    explained.sql.insert_str(0, explain);
    let rows = db.query_all_raw(explained).await;
    let rows = rows.unwrap_or_else(|error| panic!("{}: {error}", statement.sql));
    let steps = rows.iter().map(|row| row.try_get_by_index::<String>(column).expect("a step"));
    steps.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_statement_uses_an_index() {
    let ran = Ran::default();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(ran.clone()))
        .expect("the only subscriber");
    for database in [TestDatabase::sqlite_file(), TestDatabase::postgres().await] {
        let created = database.store().await;
        let made: Arc<Mutex<Vec<Statement>>> = Arc::default();
        let mut connection = database.connection().await;
        if database.is_postgres() {
            let statements = made.clone();
            connection.set_metric_callback(move |info| {
                statements.lock().expect("a list").push(info.statement.clone());
            });
        }
        ran.0.lock().expect("a list").clear();
        let store = SqlStore::from_connection(connection).expect("a store");
        everything(&store).await;
        let mut hints = store.watch();
        futures_util::StreamExt::next(&mut hints).await;
        drop(hints);

        let db = database.connection().await;
        if database.is_postgres() {
            // Tables without rows are always scanned.
            db.execute_unprepared("SET enable_seqscan = off").await.expect("a setting");
        }
        let mut made = made.lock().expect("a list").clone();
        if !database.is_postgres() {
            made.append(&mut ran.0.lock().expect("a list"));
        }
        assert!(made.len() >= 40, "{} statements", made.len());
        for statement in &made {
            if statement.sql.starts_with("INSERT") && !statement.sql.contains("SELECT") {
                continue;
            }
            let plan = plan(&db, statement).await;
            for step in plan.lines() {
                let scans = step.contains("Seq Scan")
                    || (step.trim_start().starts_with("SCAN")
                        && !step.contains(" USING ")
                        && !step.contains("SCAN c")
                        && !step.contains("SCAN v")
                        && !step.contains("CONSTANT ROW"));
                // All rows are wanted, or there is one.
                let small =
                    step.contains("circuit_breaker_cursor") || statement.sql.contains("ON TRUE");
                assert!(!scans || small, "{}\n{plan}", statement.sql);
            }
        }
        db.close().await.expect("closing");
        drop(created);
    }
}
