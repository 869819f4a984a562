//! How a journal ends.

use tower_breaker::store::{Resolution, faulty::Fault};

use crate::support::{Stopwatch, World, events, fail, ms, options, secs};

#[tokio::test(start_paused = true)]
async fn a_shutdown_writes_all_that_came() {
    let world = World::with(options().flush_interval(secs(3600)));
    tokio::time::sleep(ms(1)).await;
    let breaker = world.breaker("payments");
    fail(&breaker, 600);
    let (store, journal) = (world.store.clone(), world.journal.clone());
    assert!(world.stop(secs(5)).await.is_nothing());
    assert_eq!(events(&store).await.len(), 600);

    // What comes later is dropped, and counted; nobody waits for it.
    fail(&breaker, 2);
    assert_eq!(journal.stats().dropped, 2);
    let watch = Stopwatch::start();
    assert_eq!(journal.flush(secs(5)).await.events, 0);
    assert_eq!(watch.elapsed(), secs(0));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_in_time_and_says_what_is_lost() {
    for fault in [Fault::error(), Fault::hang()] {
        let world = World::new();
        let breaker = world.breaker("payments");
        world.faults.set_all(fault);
        fail(&breaker, 40);
        let watch = Stopwatch::start();
        let journal = world.journal.clone();
        let unwritten = world.stop(secs(5)).await;
        assert!((secs(5)..ms(5_100)).contains(&watch.elapsed()), "{:?}", watch.elapsed());
        assert_eq!((unwritten.events, unwritten.on_disk), (40, 0));
        assert!(unwritten.buckets > 0);
        assert_eq!(journal.stats().dropped, 40);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_goes_on_trying_until_its_deadline() {
    let world = World::new();
    let breaker = world.breaker("payments");
    world.faults.set_all(Fault::error().times(3));
    fail(&breaker, 40);
    let store = world.store.clone();
    assert!(world.stop(secs(60)).await.is_nothing());
    assert_eq!(events(&store).await.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_dropped_leaves_nobody_waiting() {
    let world = World::new();
    let breaker = world.breaker("payments");
    let journal = world.journal.clone();
    world.faults.set_all(Fault::hang());
    fail(&breaker, 3);
    let flush = tokio::spawn(async move { journal.flush(secs(1_000_000)).await });
    tokio::time::sleep(secs(1)).await;
    let watch = Stopwatch::start();
    world.abort();
    assert_eq!(flush.await.unwrap().events, 3);
    assert!(watch.elapsed() < secs(1));
}

#[tokio::test(start_paused = true)]
async fn runs_that_share_a_store_keep_their_events_apart() {
    let first = World::new();
    let store = first.store.clone();
    let second = World::over(store.clone(), options());
    let (one, two) = (first.breaker("payments"), second.breaker("payments"));
    fail(&one, 5);
    fail(&two, 6);
    assert!(first.stop(secs(5)).await.is_nothing());
    assert!(second.stop(secs(5)).await.is_nothing());
    assert_eq!(events(&store).await.len(), 11);
    let world = World::over(store, options());
    let hours = world.metrics(Resolution::Hour).await;
    assert_eq!(hours.iter().map(|bucket| bucket.counts.failed).sum::<u64>(), 11);
}
