//! Metric buckets and counted rejections.

use tower_breaker::{
    Breaker, Settings,
    store::{
        CallCounts, EventKind, MetricBucket, Resolution,
        faulty::{Fault, Operation},
    },
};

use crate::support::{World, fail, ms, options, secs};

fn sum(buckets: &[MetricBucket]) -> CallCounts {
    let mut sum = CallCounts::default();
    for bucket in buckets {
        sum.add(&bucket.counts);
    }
    sum
}

fn succeed(breaker: &Breaker, count: u64) {
    for _ in 0..count {
        breaker.try_acquire().unwrap().success();
    }
}

#[tokio::test(start_paused = true)]
async fn seconds_minutes_and_hours_add_up_to_the_same_figures() {
    let world = World::new();
    let breaker = world.breaker("payments");
    for _ in 0..200 {
        succeed(&breaker, 40);
        fail(&breaker, 2);
        let held = breaker.try_acquire().unwrap();
        tokio::time::sleep(secs(1)).await;
        held.success();
    }
    world.flush().await;
    for resolution in Resolution::ALL {
        let buckets = world.metrics(resolution).await;
        let counts = sum(&buckets);
        assert_eq!(counts.admitted, 200 * 43, "{resolution:?}");
        assert_eq!((counts.succeeded, counts.failed), (200 * 41, 400), "{resolution:?}");
        let calls: u64 = buckets.iter().map(|bucket| bucket.latencies.count()).sum();
        assert_eq!(calls, 200 * 43, "{resolution:?}");
        let expected = 200 / u64::from(resolution.seconds());
        let found = buckets.len() as u64;
        assert!((expected..=expected + 2).contains(&found), "{resolution:?}: {found}");
    }
    let hours = world.metrics(Resolution::Hour).await;
    let longest = hours.iter().filter_map(|bucket| bucket.latencies.quantile(1.0)).max().unwrap();
    assert!((secs(1)..ms(1_070)).contains(&longest), "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_crash_loses_no_more_than_ten_seconds_of_the_minutes() {
    let world = World::new();
    let breaker = world.breaker("payments");
    for _ in 0..100 {
        succeed(&breaker, 10);
        tokio::time::sleep(secs(1)).await;
    }
    let store = world.store.clone();
    world.abort();
    tokio::time::sleep(secs(100)).await;
    let world = World::over(store, options());
    let minutes = sum(&world.metrics(Resolution::Minute).await).admitted;
    assert!((880..=1_000).contains(&minutes), "{minutes}");
    let seconds = sum(&world.metrics(Resolution::Second).await).admitted;
    assert!((970..=1_000).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn rejections_are_one_event_a_second_that_says_how_many() {
    let world = World::new();
    let breaker = world.breaker("payments");
    breaker.force_open();
    for _ in 0..5 {
        for _ in 0..1_000 {
            breaker.try_acquire().unwrap_err();
        }
        tokio::time::sleep(secs(1)).await;
    }
    world.flush().await;
    let events = world.events().await;
    assert!(events.iter().all(|event| event.kind == EventKind::Rejected));
    assert!(events.len() <= 6, "{}", events.len());
    assert_eq!(events.iter().map(|event| event.weight).sum::<u32>(), 5_000);
    assert_eq!(sum(&world.metrics(Resolution::Minute).await).rejected, 5_000);
}

#[tokio::test(start_paused = true)]
async fn unavailable_is_the_time_that_the_circuit_was_not_closed() {
    let world = World::new();
    let settings = Settings::builder()
        .failure_threshold(1)
        .recovery_timeout(secs(10))
        .jitter(0.0)
        .permitted_calls_in_half_open(1)
        .build()
        .unwrap();
    let breaker = world.breaker_with("payments", settings);
    tokio::time::sleep(ms(300)).await;
    fail(&breaker, 1);
    tokio::time::sleep(ms(12_345)).await;
    breaker.try_acquire().unwrap().success();
    tokio::time::sleep(secs(5)).await;
    world.flush().await;
    for resolution in Resolution::ALL {
        let buckets = world.metrics(resolution).await;
        let unavailable = sum(&buckets).unavailable;
        // The clock of the tests and tokio's timers differ by up to a millisecond each time.
        assert!(
            (ms(12_340)..=ms(12_350)).contains(&unavailable),
            "{resolution:?}: {unavailable:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_breaker_writes_nothing_and_one_that_is_gone_is_let_go() {
    let world = World::new();
    let breaker = world.breaker("payments");
    succeed(&breaker, 3);
    tokio::time::sleep(secs(200)).await;
    let writes = world.faults.calls(Operation::UpsertMetrics);
    tokio::time::sleep(secs(4_000)).await;
    assert_eq!(world.faults.calls(Operation::UpsertMetrics), writes);
    assert_eq!(world.journal.stats().services, 1);

    drop(breaker);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(world.journal.stats().services, 0);
    world.flush().await;
    assert_eq!(sum(&world.metrics(Resolution::Hour).await).admitted, 3);
}

#[tokio::test(start_paused = true)]
async fn too_many_breakers_are_refused_and_a_new_one_takes_the_place_of_its_name() {
    let world = World::with(options().max_services(2));
    let (one, _two) = (world.breaker("one"), world.breaker("two"));
    let third = Breaker::builder("three").build().unwrap();
    assert!(!world.journal.watch(&third));
    assert!(world.journal.watch(&one), "it is watched already");
    assert_eq!(world.journal.stats().services_refused, 1);

    // Both are of one name, and one hour.
    succeed(&one, 2);
    let again = world.breaker("one");
    succeed(&again, 3);
    world.flush().await;
    let counts = sum(&world.metrics(Resolution::Hour).await);
    assert_eq!(counts.admitted, 5);

    // One that comes after it is gone goes on with its hour too.
    drop((one, again));
    tokio::time::sleep(secs(2)).await;
    let once_more = world.breaker("one");
    succeed(&once_more, 4);
    world.flush().await;
    let hours = world.metrics(Resolution::Hour).await;
    assert_eq!(sum(&hours).admitted, 9);
}

#[tokio::test(start_paused = true)]
async fn buckets_that_wait_are_bounded_and_the_coarse_ones_stay_exact() {
    let world = World::with(options().max_buckets(50));
    let breaker = world.breaker("payments");
    world.faults.set_all(Fault::error());
    for _ in 0..500 {
        succeed(&breaker, 4);
        tokio::time::sleep(secs(1)).await;
    }
    let stats = world.journal.stats();
    assert!(stats.buckets_dropped > 400, "{stats:?}");
    assert!(stats.buckets_waiting <= 50 + 250);
    world.faults.clear_all();
    world.flush().await;
    assert_eq!(sum(&world.metrics(Resolution::Minute).await).admitted, 2_000);
    assert_eq!(sum(&world.metrics(Resolution::Hour).await).admitted, 2_000);
}
