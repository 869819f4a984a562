//! What is old is deleted in small steps.

use std::time::{Duration, SystemTime};

use tower_breaker::{
    ServiceName,
    journal::Retention,
    store::{
        EventId, EventKind, EventRecord, HistoryStore, MemoryStore, Prune, RunId, Timestamp,
        faulty::{Fault, Operation},
    },
};

use crate::support::{World, events, ms, options, secs};

const DAY: Duration = secs(86_400);

/// A store with 1,000 events that are 40 days old and 10 that are 20 days old.
async fn aged() -> MemoryStore {
    let store = MemoryStore::new();
    let now = Timestamp::from(SystemTime::UNIX_EPOCH + now_since_epoch());
    let (run, service) = (RunId::random(), ServiceName::new("payments").unwrap());
    let event = |sequence: u64| {
        let age = if sequence < 1_000 { 40 * DAY } else { 20 * DAY };
        let id = EventId { run, sequence };
        EventRecord::new(id, service.clone(), now.before(age), EventKind::Failure)
    };
    let all: Vec<EventRecord> = (0..1_010).map(event).collect();
    store.append(&all).await.unwrap();
    store
}

fn now_since_epoch() -> Duration {
    use tower_breaker::breaker::{Clock, clock::TokioClock};
    TokioClock::new().wall().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

#[tokio::test(start_paused = true)]
async fn old_events_go_a_few_at_a_time_with_pauses() {
    let store = aged().await;
    let retention = Retention::new().interval(secs(60)).steps(100, ms(500));
    let world = World::over(store.clone(), options().retention(retention));
    let mut seen = Vec::new();
    for _ in 0..80 {
        tokio::time::sleep(secs(1)).await;
        seen.push(events(&store).await.len());
    }
    assert_eq!(seen.first(), Some(&1_010));
    assert_eq!(seen.last(), Some(&10), "what is younger stays");
    let steepest = seen.windows(2).map(|pair| pair[0] - pair[1]).max();
    assert!(steepest <= Some(300), "{steepest:?}");
    assert_eq!(world.journal.stats().pruned, 1_000);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_deleted_while_writes_fail_and_all_of_it_later() {
    let store = aged().await;
    let world = World::over(store.clone(), options().retention(Retention::new()));
    world.faults.set_all(Fault::error());
    crate::support::fail(&world.breaker("payments"), 1);
    tokio::time::sleep(secs(300)).await;
    let asked = world.faults.calls(Operation::Prune);
    assert!(asked <= 1, "{asked}");
    world.faults.clear_all();
    tokio::time::sleep(secs(300)).await;
    assert_eq!(events(&store).await.len(), 11);
}

#[tokio::test(start_paused = true)]
async fn ages_can_be_set_each_by_itself() {
    let store = aged().await;
    let retention = Retention::new().keep(Prune::Events, 10 * DAY);
    let world = World::over(store.clone(), options().retention(retention));
    tokio::time::sleep(secs(300)).await;
    assert!(events(&store).await.is_empty());
    assert_eq!(world.journal.stats().pruned, 1_010);
}
