//! How long calls take, where somebody keeps it.

use std::{thread, time::Duration};

use tower_breaker::{
    Breaker, BreakerMap, Outcome, State,
    breaker::{Latencies, clock::ManualClock},
};

use crate::support::*;

/// One call for each number of seconds, each in a bucket of its own.
#[track_caller]
fn assert_took<const N: usize>(latencies: &Latencies, calls: [u64; N]) {
    let buckets: Vec<_> = latencies.buckets().collect();
    assert_eq!(buckets.len(), N, "{buckets:?}");
    for ((bound, count), took) in buckets.into_iter().zip(calls.map(secs)) {
        assert_eq!(count, 1);
        assert!(bound >= took && bound <= took * 17 / 16, "{took:?} in {bound:?}");
    }
}

/// A call that ends after so many seconds.
fn call(breaker: &Breaker, clock: &ManualClock, seconds: u64, outcome: Outcome) {
    let permit = admitted(breaker);
    clock.advance(secs(seconds));
    permit.record(outcome);
}

#[test]
fn every_call_with_a_result_is_recorded_and_drained_once() {
    let (breaker, clock) = live(plain().failure_threshold(2));
    breaker.keep_latencies();
    let late = admitted(&breaker);
    call(&breaker, &clock, 1, Outcome::SUCCESS);
    call(&breaker, &clock, 2, Outcome::RATE_ONLY);
    call(&breaker, &clock, 4, Outcome::FAILURE);
    call(&breaker, &clock, 8, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Open);
    rejected(&breaker);
    wait_out(&breaker, &clock);
    call(&breaker, &clock, 16, Outcome::SUCCESS);
    late.success();
    assert_took(&breaker.drain_latencies(), [1, 2, 4, 8, 16, 15 + 60 + 16]);
    assert!(breaker.drain_latencies().is_empty());
    breaker.keep_latencies();
    call(&breaker, &clock, 1, Outcome::SUCCESS);
    assert_took(&breaker.drain_latencies(), [1]);
}

#[test]
fn a_call_without_a_result_is_not_recorded() {
    let (breaker, clock) = live(plain());
    let early = admitted(&breaker);
    breaker.keep_latencies();
    early.success();
    call(&breaker, &clock, 1, Outcome::IGNORED);
    drop(admitted(&breaker));
    let hung = admitted(&breaker);
    clock.advance(secs(100));
    drop(hung);
    assert_eq!(breaker.snapshot().failed, 1, "it counts as one");
    breaker.disable();
    call(&breaker, &clock, 1, Outcome::SUCCESS);
    call(&breaker, &clock, 1, Outcome::FAILURE);
    assert!(breaker.drain_latencies().is_empty());
}

#[test]
fn what_is_slow_stays_what_the_settings_say() {
    for (settings, slow) in [(plain(), 0), (slow_rate(1.0, 10, 10), 1)] {
        let (breaker, clock) = live(settings);
        breaker.keep_latencies();
        for took in [0, 100] {
            call(&breaker, &clock, took, Outcome::SUCCESS);
        }
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.succeeded, snapshot.slow), (2, slow));
        assert_eq!(breaker.drain_latencies().count(), 2);
    }
}

#[test]
fn settings_that_change_leave_latencies_kept() {
    let (breaker, clock) = live(plain());
    breaker.keep_latencies();
    for settings in [slow_rate(1.0, 10, 10), plain()] {
        breaker.configure(settings.build().unwrap());
        call(&breaker, &clock, 1, Outcome::SUCCESS);
        assert_took(&breaker.drain_latencies(), [1]);
    }
}

#[test]
fn nothing_is_kept_unasked_or_for_a_keyed_breaker() {
    let (breaker, clock) = live(plain());
    call(&breaker, &clock, 1, Outcome::SUCCESS);
    assert!(breaker.drain_latencies().is_empty());

    let map = BreakerMap::builder().clock(clock.clone()).build().unwrap();
    let keyed = map.breaker("key");
    keyed.keep_latencies();
    map.overflow().keep_latencies();
    for (breaker, recorded) in [(&keyed, 0), (map.overflow(), 1)] {
        call(breaker, &clock, 1, Outcome::SUCCESS);
        assert_eq!(breaker.drain_latencies().count(), recorded);
    }
}

#[test]
fn no_call_of_many_threads_is_lost_or_drained_twice() {
    const EACH: u32 = 10_000;
    let (breaker, _) = live(plain());
    breaker.keep_latencies();
    let mut drained = Latencies::default();
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..6).map(|_| scope.spawn(|| calls(&breaker, EACH, Outcome::SUCCESS))).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            drained.merge(&breaker.drain_latencies());
        }
    });
    drained.merge(&breaker.drain_latencies());
    assert_eq!(drained.count(), u64::from(6 * EACH));
    assert_eq!(drained.max(), Some(Duration::ZERO));
}
