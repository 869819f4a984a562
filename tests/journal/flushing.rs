//! Flushing.

use tower_breaker::store::{Resolution, faulty::Fault};

use crate::support::{Stopwatch, World, fail, ms, options, secs};

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_neither_batch_nor_interval_nor_the_end_of_the_second() {
    let world = World::with(options().flush_interval(secs(3600)).batch_size(1_000));
    tokio::time::sleep(ms(1)).await;
    let breaker = world.breaker("payments");
    fail(&breaker, 3);
    let watch = Stopwatch::start();
    world.flush().await;
    assert!(watch.elapsed() < ms(100));
    assert_eq!(world.events().await.len(), 3);
    for resolution in Resolution::ALL {
        let buckets = world.metrics(resolution).await;
        assert_eq!(buckets.iter().map(|bucket| bucket.counts.failed).sum::<u64>(), 3);
    }
    // Nothing waits: it returns at once.
    world.flush().await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_ends_too_early_says_what_is_left() {
    let world = World::new();
    let breaker = world.breaker("payments");
    world.faults.set_all(Fault::error());
    fail(&breaker, 40);
    let unwritten = world.journal.flush(secs(5)).await;
    assert_eq!((unwritten.events, unwritten.on_disk), (40, 0));
    assert!(unwritten.buckets > 0);
    world.faults.clear_all();
    world.flush().await;
    assert_eq!(world.events().await.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_is_given_up_goes_on() {
    let world = World::with(options().flush_interval(secs(3600)));
    tokio::time::sleep(ms(1)).await;
    let breaker = world.breaker("payments");
    fail(&breaker, 3);
    let journal = world.journal.clone();
    let flush = tokio::spawn(async move { journal.flush(secs(5)).await });
    tokio::task::yield_now().await;
    flush.abort();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.events().await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn many_may_flush_at_once_under_load() {
    let world = World::with(options().queue_capacity(64).batch_size(16));
    let breaker = world.breaker("payments");
    let flushes: Vec<_> = (0..20)
        .map(|_| {
            fail(&breaker, 50);
            let journal = world.journal.clone();
            tokio::spawn(async move { journal.flush(secs(60)).await })
        })
        .collect();
    for flush in flushes {
        assert!(flush.await.unwrap().is_nothing());
    }
    assert_eq!(crate::support::weight(&world.events().await), 1_000);
}
