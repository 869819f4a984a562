//! The hook that sees each new circuit of a map.

use std::{
    sync::{
        Arc, Barrier, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tower_breaker::{
    Breaker, BreakerMap, Event, EventKind, Outcome, State,
    breaker::clock::ManualClock,
    circuit::{Adoption, Version},
};

use crate::support::*;

/// A map whose new circuits are handed to `hook`.
fn hooked(capacity: usize, hook: impl Fn(&Breaker) + Send + Sync + 'static) -> BreakerMap {
    let settings = plain().failure_threshold(1).build().unwrap();
    let builder = BreakerMap::builder().settings(settings).clock(ManualClock::new());
    builder.capacity(capacity).on_create(hook).build().unwrap()
}

#[test]
fn a_new_circuit_is_handed_to_the_hook_before_anybody_has_it() {
    let created: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = Arc::clone(&created);
    let map = hooked(2, move |breaker| {
        told.lock().unwrap().push(breaker.service().to_string());
        breaker.restore(Adoption {
            state: State::Open,
            elapsed: secs(10),
            open_for: secs(40),
            reopens: 1,
            version: Version::new(0, 7),
        });
    });
    for _ in 0..2 {
        let restored = map.breaker("a");
        assert_eq!(rejected(&restored).retry_after, Some(secs(30)));
        assert_eq!(restored.snapshot().version, Version::new(0, 7));
    }
    assert!(map.get("b").is_none(), "to look is not to make");
    let _ = map.breaker("b");
    // No name, and no place.
    let _ = (map.breaker(""), map.breaker("c"));
    assert_eq!(*created.lock().unwrap(), ["a", "b"]);
    assert_eq!((map.overflowed(), map.overflow().state()), (2, State::Closed));
}

#[test]
fn a_circuit_that_was_forgotten_is_handed_to_the_hook_again() {
    let created = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&created);
    let clock = ManualClock::new();
    let builder = BreakerMap::builder().clock(clock.clone()).idle_timeout(secs(60));
    let builder = builder.on_create(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let map = builder.build().unwrap();
    let _ = map.breaker("a");
    map.evict_idle();
    clock.advance(secs(60));
    map.evict_idle();
    assert!(map.is_empty());
    let _ = map.breaker("a");
    assert_eq!(created.load(Ordering::Relaxed), 2);
}

// Under the lock the threads would wait for each other, and the hook for itself.
#[test]
fn the_hook_runs_outside_the_lock_and_threads_are_given_the_same_circuit() {
    without_deadlock(|| {
        let map = Arc::new(OnceLock::<BreakerMap>::new());
        let (held, both) = (Arc::clone(&map), Barrier::new(2));
        let built = hooked(10, move |breaker| {
            let map = held.get().unwrap();
            if breaker.service().as_str() == "a" {
                both.wait();
                assert!(map.get("a").is_none(), "nobody has it yet");
                let _ = map.breaker("b");
                both.wait();
            }
        });
        map.set(built.clone()).unwrap();
        let ask = || built.breaker("a");
        let (left, right) = thread::scope(|scope| {
            let left = scope.spawn(ask);
            let right = scope.spawn(ask);
            (left.join().unwrap(), right.join().unwrap())
        });
        trip(&left);
        assert_eq!(right.state(), State::Open);
        assert_eq!((built.len(), built.overflowed()), (2, 0));
    });
}

#[test]
fn a_hook_that_panics_is_reported_once_and_its_circuit_is_used() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let observer = {
        let told = Arc::clone(&told);
        move |event: &Event| {
            if let EventKind::Panicked { what, message } = &event.kind {
                told.lock().unwrap().push(format!("{what} of {}: {message}", event.service));
            }
        }
    };
    let builder = BreakerMap::builder().clock(ManualClock::new()).observer(observer);
    let map = builder.on_create(|_| panic!("no record")).build().unwrap();
    for key in ["a", "b"] {
        calls(&map.breaker(key), 1, Outcome::SUCCESS);
    }
    assert_eq!(*told.lock().unwrap(), ["an on_create hook of a: no record"]);
    assert_eq!(map.len(), 2);
}
