//! Events on disk while the store is down.

use std::{fs, path::Path};

use tower_breaker::{
    journal::{Journal, JournalOptions, SpillOptions},
    store::{MemoryStore, RunId, faulty::Fault},
};

use crate::support::{World, events, fail, options, secs, weight};

fn spilling(folder: &Path) -> JournalOptions {
    options().spill(SpillOptions::new(folder).segment_bytes(8 << 10))
}

fn segments(folder: &Path) -> usize {
    let files = fs::read_dir(folder).unwrap();
    files.filter(|file| file.as_ref().unwrap().path().extension().is_some()).count()
}

#[tokio::test(start_paused = true)]
async fn an_outage_longer_than_the_queue_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with(spilling(folder.path()).queue_capacity(100));
    let breaker = world.breaker("payments");
    world.faults.set_all(Fault::error());
    for _ in 0..100 {
        fail(&breaker, 50);
        tokio::time::sleep(secs(2)).await;
    }
    let stats = world.journal.stats();
    assert!(stats.spilled > 4_000, "{stats:?}");
    assert_eq!(stats.on_disk, stats.spilled);
    assert!(stats.disk_bytes > 0);
    assert!(segments(folder.path()) > 1);

    world.faults.clear_all();
    world.flush().await;
    let events = world.events().await;
    assert_eq!((events.len(), weight(&events)), (5_000, 5_000));
    assert!(events.is_sorted_by_key(|event| event.admitted));
    let stats = world.journal.stats();
    assert_eq!((stats.written, stats.sampled, stats.on_disk), (5_000, 0, 0));
    assert_eq!((stats.disk_bytes, segments(folder.path())), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_one_run_could_not_write_the_next_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let first = World::with(spilling(folder.path()));
    let (store, run) = (first.store.clone(), first.journal.run());
    let breaker = first.breaker("payments");
    first.faults.set_all(Fault::error());
    fail(&breaker, 300);
    let unwritten = first.stop(secs(5)).await;
    assert_eq!((unwritten.events, unwritten.on_disk), (0, 300));
    assert!(unwritten.disk_bytes > 0);
    assert!(events(&store).await.is_empty());

    let second = World::over(store.clone(), spilling(folder.path()));
    second.flush().await;
    let events = events(&store).await;
    assert_eq!(events.len(), 300);
    assert!(events.iter().all(|event| event.id.run == run), "under the run that saw them");
    assert_eq!(second.journal.stats().replayed, 300);
    assert_eq!(segments(folder.path()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_is_cut_short_writes_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let first = World::with(spilling(folder.path()));
    let store = first.store.clone();
    first.faults.set_all(Fault::error());
    fail(&first.breaker("payments"), 1_000);
    first.stop(secs(1)).await;
    for _ in 0..20 {
        let next = World::over(store.clone(), spilling(folder.path()).batch_size(20));
        next.faults.set_all(Fault::lost_acknowledgement().with_probability(0.3));
        next.stop(secs(1)).await;
    }
    let last = World::over(store.clone(), spilling(folder.path()));
    last.flush().await;
    assert_eq!(events(&store).await.len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_full_folder_leaves_events_to_be_sampled() {
    let folder = tempfile::tempdir().unwrap();
    let spill = SpillOptions::new(folder.path()).segment_bytes(8 << 10).max_bytes(64 << 10);
    let world = World::with(options().spill(spill).queue_capacity(100));
    let breaker = world.breaker("payments");
    world.faults.set_all(Fault::error());
    for _ in 0..100 {
        fail(&breaker, 50);
        tokio::time::sleep(secs(2)).await;
    }
    let stats = world.journal.stats();
    assert!(stats.disk_bytes <= 64 << 10, "{stats:?}");
    assert!(stats.sampled > 0 && stats.dropped == 0, "{stats:?}");
    world.faults.clear_all();
    world.flush().await;
    assert_eq!(weight(&world.events().await), 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_segment_costs_its_own_end_only() {
    let folder = tempfile::tempdir().unwrap();
    let first = World::with(spilling(folder.path()));
    let store = first.store.clone();
    first.faults.set_all(Fault::error());
    fail(&first.breaker("payments"), 200);
    first.stop(secs(1)).await;
    let mut files: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some())
        .collect();
    files.sort();
    assert!(files.len() > 2);
    let mut bytes = fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&files[0], bytes).unwrap();

    let second = World::over(store.clone(), spilling(folder.path()));
    second.flush().await;
    let left = events(&store).await;
    assert!((150..200).contains(&left.len()), "{}", left.len());
    assert_eq!(left.last().unwrap().admitted, Some(200));
    assert!(second.journal.stats().damaged_bytes > 0);
}

#[tokio::test(start_paused = true)]
async fn a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = World::with(spilling(folder.path()));
    let store = std::sync::Arc::new(MemoryStore::new());
    let error = Journal::new(spilling(folder.path()), store, RunId::random()).unwrap_err();
    assert!(error.to_string().contains("in use by another process"), "{error}");
}
