//! More events than the store takes.

use tower_breaker::store::{EventKind, faulty::Fault};

use crate::support::{World, fail, options, secs, weight};

#[tokio::test(start_paused = true)]
async fn the_sum_of_weights_is_exact_and_the_queue_stays_bounded() {
    let world = World::with(options().queue_capacity(1_000).batch_size(100));
    let (one, two) = (world.breaker("one"), world.breaker("two"));
    world.faults.set_all(Fault::error());
    tokio::time::sleep(secs(2)).await;
    for _ in 0..100 {
        fail(&one, 300);
        fail(&two, 30);
    }
    let stats = world.journal.stats();
    assert_eq!(stats.queued, 33_000);
    assert!(stats.sampled > 30_000, "{stats:?}");
    assert_eq!((stats.dropped, stats.waiting), (0, 33_000));

    world.faults.clear_all();
    world.flush().await;
    let events = world.events().await;
    assert!(events.len() <= 1_100, "{}", events.len());
    let of = |service: &str| {
        let all = events.iter().filter(|event| &*event.service == service);
        all.map(|event| u64::from(event.weight)).sum::<u64>()
    };
    assert_eq!((of("one"), of("two")), (30_000, 3_000));
    assert!(events.iter().all(|event| event.kind == EventKind::Failure));
}

#[tokio::test(start_paused = true)]
async fn the_buckets_stay_exact_however_much_is_sampled() {
    let world = World::with(options().queue_capacity(16));
    let breaker = world.breaker("payments");
    for _ in 0..10 {
        fail(&breaker, 1_000);
        tokio::time::sleep(secs(1)).await;
    }
    world.flush().await;
    let minutes = world.metrics(tower_breaker::store::Resolution::Minute).await;
    assert_eq!(minutes.iter().map(|bucket| bucket.counts.failed).sum::<u64>(), 10_000);
    let events = world.events().await;
    assert_eq!(weight(&events), 10_000);
    assert!(events.len() < 1_000);
}
