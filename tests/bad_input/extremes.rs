//! Numbers and durations near their ends.

use std::time::Duration;

use tower_breaker::{
    BreakerMap, Outcome, State,
    breaker::InvalidMap,
    circuit::{Admission, Adoption, Booking, Circuit, Gate, Moment, Transitions, Version},
};

use crate::support::*;

fn at_generation(generation: u64) -> (Circuit, Transitions) {
    let settings = plain().failure_threshold(1).permitted_calls_in_half_open(1).build().unwrap();
    (Circuit::new(settings.into(), 1).with_generation(generation), Transitions::new())
}

fn admit(circuit: &mut Circuit, now: Moment, out: &mut Transitions) -> u64 {
    match circuit.admit(now, out) {
        Admission::Admitted { generation } => generation,
        Admission::Refused(refusal) => panic!("{refusal:?}"),
    }
}

#[test]
fn generations_go_on_past_every_power_of_two() {
    for edge in [u64::from(u32::MAX), (1 << 56) - 1, 1 << 56, u64::MAX - 1, u64::MAX] {
        let (mut circuit, mut out) = at_generation(edge);
        let now = Moment::ZERO + secs(1);
        let early = admit(&mut circuit, now, &mut out);
        assert_eq!(early, edge);
        circuit.record(edge, Outcome::FAILURE, secs(0), now, &mut out);
        assert_eq!(circuit.generation(), edge.wrapping_add(1));
        let now = now + secs(60);
        let probe = admit(&mut circuit, now, &mut out);
        assert_eq!(probe, edge.wrapping_add(2));
        // Neither that of before nor one that only its lower bits are equal to.
        for other in [early, probe ^ (1 << 32), probe ^ (1 << 56), probe.wrapping_add(1)] {
            let booking = circuit.record(other, Outcome::SUCCESS, secs(0), now, &mut out);
            assert_eq!(booking, Booking::Late);
        }
        assert_eq!(circuit.state(), State::HalfOpen);
        circuit.record(probe, Outcome::SUCCESS, secs(0), now, &mut out);
        assert_eq!(circuit.state(), State::Closed);
    }
}

#[test]
fn at_the_end_of_time_an_open_circuit_has_no_probes_and_can_be_reset() {
    let (mut circuit, mut out) = at_generation(1);
    let generation = admit(&mut circuit, Moment::MAX, &mut out);
    let failure = Outcome::FAILURE.with_retry_after(Duration::MAX);
    circuit.record(generation, failure, Duration::MAX, Moment::MAX, &mut out);
    assert_eq!(circuit.state(), State::Open);
    // The open time ends where time ends, and so does the round: there is no later for a probe.
    assert!(matches!(circuit.admit(Moment::MAX, &mut out), Admission::Refused(_)));
    circuit.handle_deadline(Moment::MAX, &mut out);
    assert_eq!(circuit.state(), State::Open);
    circuit.reset(Moment::MAX, &mut out);
    admit(&mut circuit, Moment::MAX, &mut out);
}

#[test]
fn the_longest_durations_of_others_saturate() {
    for elapsed in [Duration::ZERO, secs(1), Duration::MAX] {
        for open_for in [Duration::ZERO, secs(1), Duration::MAX] {
            for state in [State::Open, State::HalfOpen, State::Closed] {
                let version = Version::new(u64::MAX, u64::MAX);
                let adoption = Adoption { state, elapsed, open_for, reopens: u32::MAX, version };
                let (breaker, clock) = live(plain());
                breaker.adopt(adoption);
                assert_eq!(breaker.state(), state);
                let (restored, _) = live(plain());
                restored.restore(adoption);
                clock.advance(Duration::MAX);
                let _ = (breaker.try_acquire(), breaker.snapshot(), restored.try_acquire());
                breaker.reset();
                calls(&breaker, 1, Outcome::SUCCESS);
            }
        }
    }
}

#[test]
fn an_adopted_opening_without_end_stays_open_and_can_be_reset() {
    let (breaker, clock) = live(plain());
    breaker.adopt(Adoption {
        state: State::Open,
        elapsed: secs(0),
        open_for: Duration::MAX,
        reopens: 0,
        version: Version::new(0, 1),
    });
    clock.advance(secs(100 * 365 * 24 * 60 * 60));
    assert_eq!(rejected(&breaker).state, State::Open);
    breaker.reset();
    calls(&breaker, 1, Outcome::SUCCESS);
}

#[test]
fn a_grant_without_end_is_one() {
    let (breaker, clock) = live(plain());
    breaker.set_gate(Gate::Granted);
    trip(&breaker);
    wait_out(&breaker, &clock);
    assert!(breaker.grant(u64::MAX, u32::MAX, Duration::MAX));
    calls(&breaker, 100, Outcome::SUCCESS);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn recoveries_that_fail_without_end_keep_the_longest_open_time() {
    let (breaker, _) = live(plain());
    breaker.restore(Adoption {
        state: State::Open,
        elapsed: secs(9),
        open_for: secs(9),
        reopens: u32::MAX,
        version: Version::default(),
    });
    for _ in 0..2 {
        calls(&breaker, 2, Outcome::FAILURE);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.remaining, snapshot.reopens), (Some(secs(300)), u32::MAX));
        breaker.adopt(Adoption {
            state: State::Closed,
            elapsed: secs(0),
            open_for: secs(0),
            reopens: 0,
            version: Version::new(1, 0),
        });
        breaker.restore(Adoption {
            state: State::Open,
            elapsed: secs(9),
            open_for: secs(9),
            reopens: u32::MAX,
            version: Version::new(2, 0),
        });
    }
}

#[test]
fn a_maps_capacity_and_idle_timeout_have_bounds() {
    for capacity in [0, 10_000_001, usize::MAX] {
        let error = BreakerMap::builder().capacity(capacity).build().unwrap_err();
        assert_eq!(error, InvalidMap::Capacity { capacity });
        let expected = format!("capacity is {capacity} but must be from 1 to 10000000");
        assert_eq!(error.to_string(), expected);
    }
    for idle_timeout in [Duration::ZERO, secs(1) - NANO] {
        let error = BreakerMap::builder().idle_timeout(idle_timeout).build().unwrap_err();
        assert_eq!(error, InvalidMap::IdleTimeout { idle_timeout });
        assert!(error.to_string().contains("must be at least 1s"), "{error}");
    }
    BreakerMap::builder().capacity(1).idle_timeout(secs(1)).build().unwrap();
    BreakerMap::builder().capacity(10_000_000).idle_timeout(Duration::MAX).build().unwrap();
}

#[test]
fn an_idle_timeout_without_end_forgets_nothing() {
    let clock = tower_breaker::breaker::clock::ManualClock::new();
    let builder = BreakerMap::builder().idle_timeout(Duration::MAX).clock(clock.clone());
    let map = builder.build().unwrap();
    calls(&map.breaker("a"), 1, Outcome::SUCCESS);
    for _ in 0..3 {
        clock.advance(Duration::MAX);
        map.evict_idle();
    }
    assert_eq!(map.len(), 1);
}
