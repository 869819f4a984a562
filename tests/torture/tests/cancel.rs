//! Futures that are dropped at any await leave no connection that is of no use, and no half of a
//! write.

use std::{
    collections::BTreeMap, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration,
};

use tower_breaker::{
    Registry, ServiceName, Settings, State,
    circuit::Version,
    store::{
        ChangeId, CircuitRecord, EventId, EventKind, EventQuery, EventRecord, Expected,
        HistoryStore, Lane, RunId, StateStore, Stored, Timestamp, sql::SqlStore,
    },
};
use tower_breaker_torture::{
    Error,
    database::{Database, changes, records},
};

type Tested = Result<(), Error>;

/// Polls a future so many times, and drops it.
async fn polled(times: u32, future: impl Future) {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 || future.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        left -= 1;
        Poll::Pending
    })
    .await;
}

const EVENTS: u64 = 40;

/// One of the things that a store is asked for, on one of a few circuits.
async fn operation(store: SqlStore, run: RunId, sequence: u64) {
    let Ok(service) = ServiceName::new(format!("service {}", fastrand::u8(0..4))) else { return };
    match fastrand::u8(0..10) {
        0 => drop(store.load_all(None).await),
        1 => {
            let at = Timestamp::from_micros(1_000_000).unwrap_or_default();
            let event = |offset| {
                let id = EventId { run, sequence: sequence + offset };
                EventRecord::new(id, service.clone(), at, EventKind::Failure)
            };
            let events: Vec<_> = (1..=EVENTS).map(event).collect();
            drop(store.append(&events).await);
        }
        2 => drop(store.events(&EventQuery::of(service)).await),
        _ => {
            let Ok(stored) = store.load(&service).await else { return };
            let (event, expected, next) = transition(service, stored, run, sequence);
            drop(store.compare_and_swap(expected, &next, Some(&event)).await);
        }
    }
}

fn transition(
    service: ServiceName,
    stored: Option<Stored>,
    run: RunId,
    sequence: u64,
) -> (EventRecord, Expected, CircuitRecord) {
    let expected = Expected::found(Lane::State, stored.as_ref());
    let mut next =
        stored.and_then(Stored::record).unwrap_or_else(|| CircuitRecord::new(service.clone()));
    let from = next.state.state;
    next.state.state = if from == State::Open { State::Closed } else { State::Open };
    next.state.version = Version::new(0, expected.version.unwrap_or_default().counter + 1);
    next.state.change_id = ChangeId::random();
    let id = EventId { run, sequence };
    let at = Timestamp::from_micros(1_000_000).unwrap_or_default();
    let mut event = EventRecord::new(id, service, at, EventKind::StateChange);
    (event.from, event.to) = (Some(from), Some(next.state.state));
    event.version = Some(next.state.version);
    (event, expected, next)
}

/// Each change has its event, and each event its change.
async fn is_whole(store: &SqlStore) -> Tested {
    let mut chains: BTreeMap<String, Vec<EventRecord>> = BTreeMap::new();
    for event in changes(store, Timestamp::EPOCH).await? {
        chains.entry(event.service.to_string()).or_default().push(event);
    }
    for record in records(store).await? {
        let mut chain = chains.remove(record.service.as_str()).unwrap_or_default();
        chain.sort_by_key(|event| event.version);
        let versions: Vec<_> = chain.iter().filter_map(|event| event.version).collect();
        let whole: Vec<_> =
            (1..=record.state.version.counter).map(|counter| Version::new(0, counter)).collect();
        assert_eq!(versions, whole, "{}", record.service);
        for pair in chain.windows(2) {
            assert_eq!(pair[0].to, pair[1].from, "{pair:?}");
        }
        assert_eq!(chain.last().and_then(|event| event.to), Some(record.state.state));
    }
    assert!(chains.is_empty(), "events without a record: {chains:?}");
    Ok(())
}

/// Batches are there or not there.
async fn has_whole_batches(store: &SqlStore) -> Tested {
    let mut batches: BTreeMap<(RunId, u64), u64> = BTreeMap::new();
    let mut query = EventQuery::all();
    query.kinds = vec![EventKind::Failure];
    query.limit = 10_000;
    loop {
        let page = store.events(&query).await?;
        for event in page.items {
            // Each batch has a hundred numbers of its own.
            *batches.entry((event.id.run, event.id.sequence / 100)).or_default() += 1;
        }
        query.page = page.next;
        if query.page.is_none() {
            break;
        }
    }
    assert!(batches.values().all(|&events| events == EVENTS), "{batches:?}");
    Ok(())
}

/// The store answers at once, on every connection that it has.
async fn works(store: &SqlStore, database: &Database) -> Tested {
    database.is_quiet().await?;
    let asked = (0..20).map(|_| store.load_all(None));
    let answers = futures_util::future::join_all(asked);
    for answer in tokio::time::timeout(Duration::from_secs(10), answers).await? {
        answer?;
    }
    if database.url.starts_with("postgres") {
        let idle = database
            .number(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND state LIKE 'idle in transaction%'",
            )
            .await?;
        assert_eq!(idle, 0, "connections are idle in a transaction");
    }
    Ok(())
}

/// Operations that end after a number of polls, or after a time.
async fn given_up(database: Database) -> Tested {
    let store = database.store().await?;
    let run = RunId::random();
    let mut tasks = Vec::new();
    for number in 0..600_u64 {
        let doing = operation(store.clone(), run, number * 100);
        if number % 2 == 0 {
            tasks.push(tokio::spawn(polled(fastrand::u32(1..12), doing)));
        } else {
            let task = tokio::spawn(doing);
            // Some at once, some late, however slow the machine is.
            let moment = Duration::from_micros(1 << fastrand::u32(4..17));
            tokio::spawn({
                let task = task.abort_handle();
                async move {
                    tokio::time::sleep(moment).await;
                    task.abort();
                }
            });
            tasks.push(task);
        }
        if number % 8 == 7 {
            for task in tasks.drain(..) {
                // Aborted is what it is meant to be.
                let _ = task.await;
            }
        }
    }
    works(&store, &database).await?;
    // A write that had begun when its caller went away comes to its end.
    store.close().await?;
    let store = database.store().await?;
    is_whole(&store).await?;
    has_whole_batches(&store).await?;
    let versions: u64 =
        records(&store).await?.iter().map(|record| record.state.version.counter).sum();
    assert!(versions > 20, "only {versions} writes came through");
    Ok(())
}

/// Whole runtimes that end in the middle of it, as a process does.
async fn cut_off(database: Database) -> Tested {
    drop(database.store().await?);
    for round in 0..25_u64 {
        let url = database.url.clone();
        let ended = std::thread::spawn(move || -> Tested {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            let run = RunId::random();
            runtime.block_on(async {
                let store = SqlStore::builder(url).connect_lazy()?;
                for number in 0..40_u64 {
                    tokio::spawn(operation(store.clone(), run, (round * 40 + number) * 100));
                }
                tokio::time::sleep(Duration::from_millis(fastrand::u64(1..60))).await;
                Ok::<_, Error>(())
            })?;
            runtime.shutdown_background();
            Ok(())
        });
        ended.join().map_err(|_| "a runtime panicked")??;
    }
    let store = database.store().await?;
    works(&store, &database).await?;
    is_whole(&store).await?;
    has_whole_batches(&store).await
}

/// Registries that are dropped while circuits flap.
async fn dropped(database: Database) -> Tested {
    let store = Arc::new(database.store().await?);
    let settings = Settings::builder().failure_threshold(2).build()?;
    for _ in 0..20 {
        let starting =
            Registry::builder().stores(Arc::clone(&store)).defaults(settings.clone()).start();
        // Some are dropped while they start.
        let within = Duration::from_micros(fastrand::u64(100..20_000));
        let Ok(registry) = tokio::time::timeout(within, starting).await else { continue };
        let registry = registry?;
        for name in ["one", "two"] {
            let breaker = registry.breaker(name)?;
            breaker.reset();
            for _ in 0..2 {
                if let Ok(permit) = breaker.try_acquire() {
                    permit.failure();
                }
            }
        }
        let moment = Duration::from_micros(fastrand::u64(0..20_000));
        tokio::time::sleep(moment).await;
        drop(registry);
    }
    // What they had still to commit they have committed by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    works(&store, &database).await?;
    is_whole(&store).await
}

macro_rules! on_both {
    ($($name:ident, $sqlite:ident, $postgres:ident;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $sqlite() -> Tested {
                $name(Database::sqlite()?).await
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn $postgres() -> Tested {
                $name(Database::postgres().await?).await
            }
        )+
    };
}

on_both! {
    given_up, operations_that_are_given_up_are_whole_on_sqlite,
        operations_that_are_given_up_are_whole_on_postgres;
    cut_off, operations_that_are_cut_off_are_whole_on_sqlite,
        operations_that_are_cut_off_are_whole_on_postgres;
    dropped, registries_that_are_dropped_leave_whole_records_on_sqlite,
        registries_that_are_dropped_leave_whole_records_on_postgres;
}
