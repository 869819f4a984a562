//! A store that is down, slow, or takes a write and does not say so.

use tower_breaker::store::faulty::{Fault, Operation};

use crate::support::{World, fail, ms, options, secs, weight};

#[tokio::test(start_paused = true)]
async fn what_came_while_the_store_was_down_is_written_when_it_is_back_in_order() {
    let world = World::new();
    let breaker = world.breaker("payments");
    world.faults.set_all(Fault::error());
    for _ in 0..60 {
        fail(&breaker, 10);
        tokio::time::sleep(secs(1)).await;
    }
    let stats = world.journal.stats();
    assert!(stats.store_is_down);
    assert_eq!((stats.written, stats.waiting), (0, 600));
    assert!((5..40).contains(&stats.retries), "growing delays: {}", stats.retries);

    world.faults.clear_all();
    world.flush().await;
    let events = world.events().await;
    assert_eq!(events.len(), 600);
    assert!(events.is_sorted_by_key(|event| event.admitted), "in the order of the calls");
    let stats = world.journal.stats();
    assert_eq!((stats.written, stats.waiting, stats.dropped), (600, 0, 0));
    assert!(!stats.store_is_down);
}

#[tokio::test(start_paused = true)]
async fn a_lost_acknowledgement_writes_nothing_twice() {
    let world = World::new();
    let breaker = world.breaker("payments");
    let fault = Fault::lost_acknowledgement().with_probability(0.5);
    world.faults.set(Operation::Append, fault);
    world.faults.set(Operation::UpsertMetrics, fault);
    for _ in 0..100 {
        fail(&breaker, 7);
        tokio::time::sleep(secs(1)).await;
    }
    world.flush().await;
    assert!(world.faults.faulted(Operation::Append) > 10);
    let events = world.events().await;
    assert_eq!(events.len(), 700);
    let seconds = world.metrics(tower_breaker::store::Resolution::Second).await;
    assert_eq!(seconds.iter().map(|bucket| bucket.counts.failed).sum::<u64>(), 700);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_given_up_and_never_blocks_a_call() {
    let world = World::with(options().queue_capacity(100).write_timeout(secs(2)));
    let breaker = world.breaker("payments");
    world.faults.set_all(Fault::hang());
    tokio::time::sleep(ms(1)).await;
    // On paused time: if one of these waited, it would wait for ever.
    fail(&breaker, 10_000);
    tokio::time::sleep(secs(30)).await;
    assert!(world.journal.stats().retries >= 3);
    fail(&breaker, 10_000);
    world.faults.clear_all();
    world.flush().await;
    assert_eq!(weight(&world.events().await), 20_000);
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_is_written_to_in_batches() {
    let world = World::with(options().batch_size(100));
    let breaker = world.breaker("payments");
    world.faults.set(Operation::Append, Fault::delay(ms(100)));
    fail(&breaker, 1_000);
    world.flush().await;
    assert_eq!(world.events().await.len(), 1_000);
    assert_eq!(world.faults.calls(Operation::Append), 10);
}
