//! Breakers by key: how many there are, which may go, and which may not.
#![cfg(feature = "test-util")]

use std::{
    collections::HashSet,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tower_breaker::{
    BreakerMap, Outcome, Settings, SlidingWindow, State,
    breaker::{BreakerMapBuilder, EventKind, clock::ManualClock},
    circuit::{Override, SettingsBuilder},
};

mod support;
use support::*;

const IDLE: Duration = secs(60);

/// A million, where the tests are built to be fast.
const ATTACK: u64 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

fn with(
    settings: SettingsBuilder,
    more: impl FnOnce(BreakerMapBuilder) -> BreakerMapBuilder,
) -> (BreakerMap, ManualClock) {
    let clock = ManualClock::new();
    let settings = settings.build().expect("valid settings");
    let builder =
        BreakerMap::builder().settings(settings).idle_timeout(IDLE).clock(clock.clone()).seed(1);
    (more(builder).build().expect("a valid map"), clock)
}

fn map(capacity: usize) -> (BreakerMap, ManualClock) {
    with(plain(), |builder| builder.capacity(capacity))
}

fn success(map: &BreakerMap, key: &str) {
    calls(&map.breaker(key), 1, Outcome::SUCCESS);
}

/// Looks twice, as an idle circuit has to be seen idle: calls since the last look make it busy.
fn sweep(map: &BreakerMap) {
    map.evict_idle();
    map.evict_idle();
}

#[test]
fn a_key_is_one_circuit() {
    let (map, _) = map(10);
    assert!(map.get("a").is_none() && map.is_empty());
    trip(&map.breaker("a"));
    assert_eq!(map.breaker("a").state(), State::Open);
    assert_eq!(map.get("a").unwrap().state(), State::Open);
    assert_eq!(map.clone().breaker("b").state(), State::Closed);
    let names: HashSet<_> = map.snapshots().into_iter().map(|it| it.service.to_string()).collect();
    assert_eq!(names, HashSet::from(["a".to_owned(), "b".to_owned()]));
    assert_eq!((map.len(), map.overflowed(), map.evicted()), (2, 0, 0));
}

#[test]
fn an_idle_circuit_is_forgotten_after_the_idle_timeout_and_not_before() {
    let (map, clock) = map(10);
    success(&map, "a");
    sweep(&map);
    clock.advance(IDLE - secs(1));
    sweep(&map);
    assert_eq!(map.len(), 1);
    clock.advance(secs(1));
    sweep(&map);
    assert_eq!((map.len(), map.evicted()), (0, 1));
    assert!(map.get("a").is_none());
}

#[test]
fn a_circuit_that_is_called_is_not_idle() {
    let (map, clock) = map(10);
    for _ in 0..20 {
        success(&map, "a");
        clock.advance(IDLE / 2);
        map.evict_idle();
    }
    assert_eq!((map.len(), map.evicted()), (1, 0));
    assert_eq!(map.breaker("a").admitted(), 20);
}

#[test]
fn a_circuit_that_was_forgotten_begins_anew() {
    let (map, clock) = map(10);
    calls(&map.breaker("a"), 4, Outcome::FAILURE);
    sweep(&map);
    clock.advance(IDLE);
    sweep(&map);
    let again = map.breaker("a").snapshot();
    assert_eq!((again.admitted, again.consecutive_failures), (0, 0));
}

#[test]
fn an_open_circuit_is_not_forgotten_while_its_time_runs() {
    let settings = plain().recovery_timeout(secs(1_000)).max_recovery_timeout(secs(1_000));
    let (map, clock) = with(settings, |builder| builder.capacity(1));
    trip(&map.breaker("down"));
    sweep(&map);
    clock.advance(secs(1_000) - NANO);
    sweep(&map);
    // Not for another key either.
    success(&map, "new");
    assert_eq!((map.len(), map.overflowed()), (1, 1));
    assert_eq!(map.get("down").unwrap().state(), State::Open);
    clock.advance(NANO);
    sweep(&map);
    assert_eq!((map.len(), map.evicted()), (0, 1));
}

#[test]
fn a_half_open_round_is_kept_until_it_is_over() {
    let (map, clock) = map(1);
    let breaker = map.breaker("recovering");
    drop(first_probe(&breaker, &clock));
    drop(breaker);
    sweep(&map);
    clock.advance(secs(120) - NANO);
    sweep(&map);
    assert_eq!(map.get("recovering").unwrap().state(), State::HalfOpen);
    clock.advance(secs(240));
    sweep(&map);
    assert_eq!(map.len(), 0);
}

#[test]
fn a_circuit_with_a_call_in_flight_is_kept() {
    let (map, clock) = map(1);
    let permit = map.breaker("busy").try_acquire().unwrap();
    sweep(&map);
    clock.advance(IDLE * 10);
    sweep(&map);
    success(&map, "new");
    assert_eq!((map.len(), map.overflowed()), (1, 1));
    permit.success();
    sweep(&map);
    assert_eq!(map.len(), 0);
}

#[test]
fn a_circuit_that_somebody_holds_is_kept() {
    let (map, clock) = map(1);
    let held = map.breaker("held");
    sweep(&map);
    clock.advance(IDLE * 10);
    sweep(&map);
    success(&map, "new");
    // Still the one that the map gives out.
    trip(&held);
    assert_eq!(map.breaker("held").state(), State::Open);
}

#[test]
fn overrides_are_kept() {
    let (map, clock) = map(10);
    let overrides = [Override::ForcedOpen, Override::Disabled, Override::MetricsOnly];
    for over in overrides {
        map.breaker(&format!("{over:?}")).set_override(over);
    }
    success(&map, "none");
    sweep(&map);
    clock.advance(IDLE * 1_000);
    sweep(&map);
    assert_eq!((map.len(), map.evicted()), (3, 1));
    for over in overrides {
        let breaker = map.get(&format!("{over:?}")).expect("kept");
        assert_eq!(breaker.state(), over.into());
        breaker.lift_override();
    }
    sweep(&map);
    assert_eq!(map.len(), 0);
}

#[test]
fn a_full_map_lets_a_circuit_go_that_holds_nothing_but_successes() {
    let (map, clock) = with(slow_rate(0.9, 10, 5).failure_threshold(5), |it| it.capacity(4));
    calls(&map.breaker("failed"), 1, Outcome::FAILURE);
    let slow = map.breaker("slow").try_acquire().unwrap();
    clock.advance(secs(1));
    slow.success();
    trip(&map.breaker("down"));
    success(&map, "clean");
    success(&map, "new");
    assert_eq!((map.len(), map.evicted(), map.overflowed()), (4, 1, 0));
    assert!(map.get("clean").is_none());
    assert_eq!(map.get("failed").unwrap().snapshot().consecutive_failures, 1);
    assert_eq!(map.get("slow").unwrap().snapshot().counts.slow_calls, 1);
    assert_eq!(map.get("down").unwrap().state(), State::Open);
}

#[test]
fn a_quiet_circuit_goes_before_one_that_is_called() {
    let (map, _) = map(20);
    let key = |index: u32| format!("{}-{index}", if index < 10 { "busy" } else { "quiet" });
    (0..20).for_each(|index| success(&map, &key(index)));
    map.evict_idle();
    (0..10).for_each(|index| success(&map, &key(index)));
    success(&map, "new");
    assert_eq!((map.len(), map.evicted()), (20, 1));
    assert!((0..10).all(|index| map.get(&key(index)).is_some()));
}

#[test]
fn keys_without_a_place_share_the_overflow_circuit_and_are_counted() {
    let (map, _) = map(2);
    trip(&map.breaker("a"));
    trip(&map.breaker("b"));
    assert_eq!(map.overflowed(), 0);
    for key in ["c", "d", "e", "f", "g"] {
        let breaker = map.breaker(key);
        assert_eq!(breaker.service().as_str(), BreakerMap::OVERFLOW);
        calls(&breaker, 1, Outcome::FAILURE);
        assert!(map.get(key).is_none());
    }
    assert_eq!((map.overflowed(), map.len()), (5, 2));
    // They share their fate.
    assert_eq!(map.overflow().state(), State::Open);
    rejected(&map.breaker("h"));
    // And get places of their own when there are some.
    map.breaker("a").reset();
    assert_eq!(map.breaker("h").service().as_str(), "h");
}

#[test]
fn settings_may_differ_by_key_and_are_asked_for_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let strict: Arc<Settings> = Arc::new(plain().failure_threshold(1).build().unwrap());
    let (map, _) = with(plain(), |builder| {
        let asked = Arc::clone(&asked);
        builder.settings_for(move |key| {
            asked.fetch_add(1, Ordering::Relaxed);
            key.starts_with("strict").then(|| Arc::clone(&strict))
        })
    });
    for _ in 0..3 {
        let _ = (map.breaker("strict-1"), map.breaker("other"));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    calls(&map.breaker("strict-1"), 1, Outcome::FAILURE);
    calls(&map.breaker("other"), 4, Outcome::FAILURE);
    assert_eq!(map.breaker("strict-1").state(), State::Open);
    assert_eq!(map.breaker("other").state(), State::Closed);
}

#[test]
fn the_events_of_all_circuits_come_together() {
    let told = Arc::new(AtomicUsize::new(0));
    let (map, _) = with(plain(), |builder| {
        let told = Arc::clone(&told);
        builder.observer(move |_: &tower_breaker::breaker::Event| {
            told.fetch_add(1, Ordering::Relaxed);
        })
    });
    let mut events = map.subscribe();
    map.breaker("a").force_open();
    map.breaker("b").reset();
    let services: Vec<_> = std::iter::from_fn(|| events.try_recv().unwrap())
        .filter(|event| matches!(event.kind, EventKind::Transition(_)))
        .map(|event| event.service.to_string())
        .collect();
    assert_eq!(services, ["a", "b"]);
    assert_eq!(told.load(Ordering::Relaxed), 2);
}

#[test]
fn a_key_that_many_threads_bring_at_once_is_one_circuit() {
    const THREADS: u64 = 8;
    let (map, _) = map(1_000);
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 0..200 {
                    let key = format!("key-{round}");
                    start.wait();
                    success(&map, &key);
                }
            });
        }
    });
    assert_eq!((map.len(), map.overflowed(), map.evicted()), (200, 0, 0));
    for snapshot in map.snapshots() {
        assert_eq!(snapshot.admitted, THREADS, "{}", snapshot.service);
    }
}

#[test]
fn keys_may_come_and_go_on_many_threads() {
    let (map, clock) = with(rate(0.5, SlidingWindow::count(10), 5), |it| it.capacity(50));
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (map, clock) = (&map, &clock);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(thread);
                for _ in 0..20_000 {
                    let breaker = map.breaker(&format!("key-{}", random.u32(..200)));
                    if let Ok(permit) = breaker.try_acquire() {
                        permit.record(Outcome::failure_if(random.u8(..4) == 0));
                    }
                    match random.u16(..1_000) {
                        0 => clock.advance(secs(30)),
                        1 => map.evict_idle(),
                        _ => {}
                    }
                }
            });
        }
    });
    assert!(map.len() <= 50 && map.evicted() > 0);
    let snapshots = map.snapshots();
    assert_eq!(snapshots.len(), map.len());
    let names: HashSet<_> = snapshots.iter().map(|it| it.service.as_str()).collect();
    assert_eq!(names.len(), snapshots.len());
}

#[test]
fn keys_without_end_from_outside_stay_within_the_capacity() {
    let (map, _) = map(1_000);
    trip(&map.breaker("down"));
    for key in 0..ATTACK {
        let breaker = map.breaker(&format!("attack-{key}"));
        if let Ok(permit) = breaker.try_acquire() {
            permit.success();
        }
    }
    assert_eq!(map.len(), 1_000);
    assert_eq!(map.evicted() + map.overflowed() + 1_000, ATTACK + 1);
    // What matters is still there.
    assert_eq!(map.get("down").unwrap().state(), State::Open);
}

#[test]
fn keys_without_end_that_all_fail_stay_within_the_capacity() {
    let (map, _) = with(plain().failure_threshold(1), |builder| builder.capacity(1_000));
    let mut rejected = 0;
    for key in 0..ATTACK {
        match map.breaker(&format!("attack-{key}")).try_acquire() {
            Ok(permit) => permit.failure(),
            Err(_) => rejected += 1,
        }
    }
    assert_eq!((map.len(), map.evicted()), (1_000, 0));
    // The overflow circuit opened with the first that shared it.
    assert_eq!((map.overflowed(), rejected), (ATTACK - 1_000, ATTACK - 1_001));
}

#[test]
fn a_half_open_circuit_without_an_end_is_forgotten_when_nobody_calls_it() {
    let (map, clock) = with(plain().failure_threshold(1).max_wait_in_half_open(None), |it| it);
    map.breaker("a").try_acquire().unwrap().failure();
    clock.advance(secs(60));
    map.breaker("a").try_acquire().unwrap().success();
    assert_eq!(map.breaker("a").state(), State::HalfOpen);
    map.evict_idle();
    clock.advance(IDLE);
    map.evict_idle();
    assert_eq!(map.len(), 0);
}

#[test]
fn the_name_of_the_overflow_circuit_is_no_key_of_its_own() {
    let (map, _) = map(10);
    map.breaker(BreakerMap::OVERFLOW).force_open();
    assert_eq!(map.overflow().state(), State::ForcedOpen);
    assert_eq!((map.len(), map.overflowed()), (0, 1));
}
