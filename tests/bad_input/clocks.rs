//! Clocks that stand still, go backwards or jump.

use tower_breaker::{
    BreakerMap, Outcome, SlidingWindow, State,
    breaker::clock::ManualClock,
    circuit::{Circuit, Moment, Transitions},
};

use crate::support::*;

#[test]
fn a_clock_that_stands_still_keeps_an_open_circuit_open() {
    let (breaker, _) = live(plain());
    trip(&breaker);
    for _ in 0..1_000 {
        assert_eq!(rejected(&breaker).retry_after, Some(secs(60)));
    }
    assert_eq!(breaker.snapshot().remaining, Some(secs(60)));
}

#[test]
fn a_clock_that_stands_still_does_not_keep_a_circuit_from_opening() {
    let (breaker, _) = live(rate(0.5, SlidingWindow::time(secs(10)), 10));
    calls(&breaker, 10, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn under_a_clock_that_stands_still_nothing_is_slow() {
    let (breaker, _) = live(slow_rate(0.1, 10, 1));
    let permits: Vec<_> = (0..100).map(|_| admitted(&breaker)).collect();
    breaker.handle_deadline();
    drop(permits);
    assert_eq!((breaker.state(), breaker.snapshot().slow), (State::Closed, 0));
}

#[test]
fn a_clock_that_goes_backwards_makes_no_call_slow_and_loses_none() {
    let (breaker, clock) =
        live(slow_rate(0.1, 10, 1).sliding_window(SlidingWindow::time(secs(10))));
    for _ in 0..10 {
        let permit = admitted(&breaker);
        clock.set(Moment::from_nanos(1));
        permit.success();
    }
    let counts = breaker.snapshot().counts;
    assert_eq!((counts.calls, counts.slow_calls), (10, 0));
}

#[test]
fn a_call_given_up_under_a_clock_that_goes_backwards_is_ignored() {
    let (breaker, clock) = live(plain().failure_threshold(1));
    let permit = admitted(&breaker);
    clock.set(Moment::ZERO);
    drop(permit);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_clock_that_goes_backwards_admits_no_one_early() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let start = Moment::ZERO + secs(1_000);
    trip(&breaker);
    clock.set(Moment::ZERO + secs(1));
    rejected(&breaker);
    clock.set((start + secs(60)).before(NANO));
    rejected(&breaker);
    clock.set(start + secs(60));
    let _probe = admitted(&breaker);
    // Nor a second probe.
    clock.set(Moment::ZERO);
    rejected(&breaker);
    breaker.handle_deadline();
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn a_clock_that_jumps_about_breaks_nothing() {
    for seed in 0..50 {
        let mut random = fastrand::Rng::with_seed(seed);
        let window = SlidingWindow::Time { duration: ms(100), slices: 7 };
        let settings = slow_rate(0.6, 10, 3)
            .sliding_window(window)
            .failure_rate_threshold(0.6)
            .recovery_timeout(ms(10))
            .max_recovery_timeout(secs(1));
        let (breaker, clock) = live(settings);
        let mut permits = Vec::new();
        for _ in 0..500 {
            match random.u8(..8) {
                0 => clock.set(Moment::from_nanos(random.u64(..))),
                1 => clock.set(*random.choice(&[Moment::ZERO, Moment::MAX]).unwrap()),
                2 => clock.advance(std::time::Duration::from_nanos(random.u64(..1 << 40))),
                3 => breaker.handle_deadline(),
                4 | 5 => permits.extend(breaker.try_acquire()),
                _ if !permits.is_empty() => {
                    let permit = permits.swap_remove(random.usize(..permits.len()));
                    permit.record(Outcome::failure_if(random.bool()));
                }
                _ => {}
            }
            let snapshot = breaker.snapshot();
            assert!(snapshot.counts.failures <= snapshot.counts.calls);
            assert!(snapshot.counts.slow_calls <= snapshot.counts.calls);
            assert!(snapshot.slow_calls_in_flight as usize <= permits.len());
        }
        breaker.reset();
        drop(permits);
        calls(&breaker, 1, Outcome::SUCCESS);
    }
}

#[test]
fn the_pure_circuit_books_an_older_now_in_the_newest_slice() {
    let settings = rate(0.9, SlidingWindow::time(secs(10)), 5).build().unwrap();
    let mut circuit = Circuit::new(settings.into(), 1);
    let mut out = Transitions::new();
    let at = |seconds| Moment::ZERO + secs(seconds);
    circuit.record(1, Outcome::FAILURE, secs(0), at(100), &mut out);
    circuit.record(1, Outcome::FAILURE, secs(0), at(50), &mut out);
    assert_eq!(circuit.counts_at(at(60)).calls, 2);
    assert_eq!(circuit.counts_at(at(109)).calls, 2);
    assert_eq!(circuit.counts_at(at(110)).calls, 0);
}

#[test]
fn a_map_survives_a_clock_that_goes_backwards() {
    let clock = ManualClock::new();
    clock.advance(secs(10_000));
    let map = BreakerMap::builder().idle_timeout(secs(60)).clock(clock.clone()).build().unwrap();
    calls(&map.breaker("a"), 1, Outcome::SUCCESS);
    clock.set(Moment::ZERO);
    map.evict_idle();
    map.evict_idle();
    assert_eq!(map.len(), 1);
    calls(&map.breaker("b"), 1, Outcome::SUCCESS);
    clock.set(Moment::MAX);
    map.evict_idle();
    map.evict_idle();
    assert_eq!(map.breaker("a").state(), State::Closed);
}
