//! Half-open: places, verdicts, and its end.

use tower_breaker::{
    Outcome, State,
    circuit::{Booking, Moment, Reason, RejectReason, TripReason},
};

use crate::{circuit::Pure, support::*};

#[test]
fn reading_the_state_changes_nothing() {
    let (breaker, clock) = live(plain());
    trip(&breaker);
    let generation = breaker.snapshot().generation;
    clock.advance(secs(1_000));
    let mut events = breaker.subscribe();
    for _ in 0..3 {
        assert_eq!(breaker.state(), State::Open);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.generation), (State::Open, generation));
        assert_eq!(snapshot.remaining, Some(secs(0)));
    }
    assert!(transitions(&mut events).is_empty());
}

#[test]
fn the_call_that_finds_the_open_time_over_is_the_first_probe() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let probe = first_probe(&breaker, &clock);
    assert_eq!(probe.generation(), breaker.snapshot().generation);
    assert_eq!(rejected(&breaker).reason, RejectReason::NoProbeLeft);
    probe.success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_finished_probe_keeps_its_place() {
    let settings = plain().permitted_calls_in_half_open(3).success_rate_threshold(1.0);
    let (breaker, clock) = live(settings);
    first_probe(&breaker, &clock).success();
    let (_second, _third) = (admitted(&breaker), admitted(&breaker));
    assert_eq!(rejected(&breaker).reason, RejectReason::NoProbeLeft);
}

#[test]
fn a_cancelled_or_ignored_probe_returns_its_place() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    drop(first_probe(&breaker, &clock));
    admitted(&breaker).record(Outcome::IGNORED);
    let _probe = admitted(&breaker);
    rejected(&breaker);
    assert_eq!(breaker.snapshot().counts.calls, 0);
}

#[test]
fn a_probe_of_an_earlier_round_gives_nothing() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let earlier = first_probe(&breaker, &clock);
    clock.advance(secs(120));
    rejected(&breaker);
    wait_out(&breaker, &clock);
    let _probe = admitted(&breaker);
    drop(earlier);
    assert_eq!(rejected(&breaker).reason, RejectReason::NoProbeLeft);
}

#[test]
fn half_open_closes_as_soon_as_enough_probes_succeeded() {
    let settings = plain().permitted_calls_in_half_open(10).success_rate_threshold(0.5);
    let mut pure = Pure::new(settings);
    pure.trip();
    pure.wait_out();
    (0..4).for_each(|_| pure.call(Outcome::SUCCESS));
    assert_eq!(pure.circuit.state(), State::HalfOpen);
    pure.happened();
    pure.call(Outcome::SUCCESS);
    let [closed] = pure.happened()[..] else { panic!("one transition") };
    assert_eq!(closed.reason, Reason::ProbesSucceeded { succeeded: 5, permitted: 10 });
}

#[test]
fn half_open_opens_as_soon_as_too_many_probes_failed() {
    let settings = plain().permitted_calls_in_half_open(10).success_rate_threshold(0.7);
    let mut pure = Pure::new(settings);
    pure.trip();
    pure.wait_out();
    pure.call(Outcome::FAILURE);
    pure.call(Outcome::FAILURE);
    pure.call(Outcome::RATE_ONLY);
    assert_eq!(pure.circuit.state(), State::HalfOpen);
    pure.call(Outcome::RATE_ONLY);
    let reason = TripReason::ProbesFailed { failed: 4, permitted: 10, threshold: 0.7 };
    assert_eq!(pure.circuit.trip_reason(), Some(reason));
}

#[test]
fn probes_that_failed_and_probes_that_succeeded_do_not_depend_on_their_order() {
    for failures_first in [true, false] {
        let mut pure = Pure::new(plain());
        pure.trip();
        pure.wait_out();
        pure.call(Outcome::failure_if(failures_first));
        pure.call(Outcome::failure_if(!failures_first));
        assert_eq!(pure.circuit.state(), State::HalfOpen);
        pure.call(Outcome::SUCCESS);
        assert_eq!(pure.circuit.state(), State::Closed);
    }
}

#[test]
fn probes_are_judged_for_the_slow_rate_too() {
    let (breaker, clock) = live(slow_rate(0.5, 10, 1).permitted_calls_in_half_open(4));
    let slow = admitted(&breaker);
    clock.advance(secs(1));
    slow.success();
    wait_out(&breaker, &clock);
    let probes: Vec<_> = (0..4).map(|_| admitted(&breaker)).collect();
    clock.advance(secs(1));
    for (index, probe) in probes.into_iter().enumerate() {
        assert_eq!(breaker.state(), if index < 2 { State::HalfOpen } else { State::Open });
        probe.success();
    }
    let reason = TripReason::ProbesSlow { slow: 2, permitted: 4, threshold: 0.5 };
    assert_eq!(breaker.snapshot().trip_reason, Some(reason));
}

#[test]
fn half_open_does_not_close_while_slow_probes_may_still_make_it_open() {
    let (breaker, clock) = live(slow_rate(0.5, 10, 1).permitted_calls_in_half_open(4));
    let slow = admitted(&breaker);
    clock.advance(secs(1));
    slow.success();
    wait_out(&breaker, &clock);
    // Two of four would do for the successes, but the two that are left might both be slow.
    calls(&breaker, 2, Outcome::SUCCESS);
    assert_eq!(breaker.state(), State::HalfOpen);
    calls(&breaker, 1, Outcome::SUCCESS);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn the_wait_in_half_open_runs_from_entering_it() {
    let mut pure = Pure::new(plain());
    pure.trip();
    pure.wait_out();
    let entered = pure.now;
    pure.admit();
    // A probe that begins later does not move the deadline.
    pure.wait(secs(100));
    pure.admit();
    assert_eq!(pure.circuit.poll_deadline(), Some(entered + secs(120)));
    pure.now = Moment::from_nanos((entered + secs(120)).as_nanos() - 1);
    pure.circuit.handle_deadline(pure.now, &mut pure.out);
    assert_eq!(pure.circuit.state(), State::HalfOpen);
    pure.wait(NANO);
    pure.circuit.handle_deadline(pure.now, &mut pure.out);
    assert_eq!(pure.circuit.state(), State::Open);
}

#[test]
fn an_expired_round_is_open_as_of_its_deadline_and_a_failed_recovery() {
    let (breaker, clock) = live(plain());
    let mut events = breaker.subscribe();
    let _hangs = first_probe(&breaker, &clock);
    // Noticed 50 s late: the open time of 2 × 60 s runs from the deadline.
    clock.advance(secs(170));
    assert_eq!(rejected(&breaker).retry_after, Some(secs(70)));
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.reopens, snapshot.remaining), (1, Some(secs(70))));
    let reason = TripReason::HalfOpenExpired { finished: 0, permitted: 3, max_wait: secs(120) };
    assert_eq!(snapshot.trip_reason, Some(reason));
    let last = *transitions(&mut events).last().unwrap();
    assert_eq!(last.open_for, Some(secs(120)));
}

#[test]
fn a_result_that_comes_at_the_deadline_is_late() {
    let mut pure = Pure::new(plain().permitted_calls_in_half_open(1));
    pure.trip();
    pure.wait_out();
    let generation = pure.admit();
    pure.wait(secs(120));
    assert_eq!(pure.record(generation, Outcome::SUCCESS, secs(0)), Booking::Late);
    assert_eq!(pure.circuit.state(), State::Open);
}

#[test]
fn a_circuit_without_traffic_leaves_half_open_when_its_deadline_is_handled() {
    let (breaker, clock) = live(plain());
    assert_eq!(breaker.poll_deadline(), None);
    let probe = first_probe(&breaker, &clock);
    assert_eq!(breaker.poll_deadline(), Some(secs(120)));
    clock.advance(secs(120) - NANO);
    breaker.handle_deadline();
    assert_eq!((breaker.state(), breaker.poll_deadline()), (State::HalfOpen, Some(NANO)));
    clock.advance(secs(5));
    assert_eq!(breaker.poll_deadline(), Some(secs(0)));
    breaker.handle_deadline();
    assert_eq!((breaker.state(), breaker.poll_deadline()), (State::Open, None));
    drop(probe);
}

#[test]
fn half_open_without_a_deadline_waits_for_ever() {
    let settings = plain().permitted_calls_in_half_open(1).max_wait_in_half_open(None);
    let (breaker, clock) = live(settings);
    let probe = first_probe(&breaker, &clock);
    assert_eq!(breaker.poll_deadline(), None);
    clock.advance(secs(100 * 365 * 24 * 60 * 60));
    assert_eq!(rejected(&breaker).state, State::HalfOpen);
    probe.success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn retry_after_is_none_where_no_clock_can_tell() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let _probe = first_probe(&breaker, &clock);
    let full = rejected(&breaker);
    assert_eq!((full.state, full.retry_after), (State::HalfOpen, None));
    breaker.force_open();
    let forced = rejected(&breaker);
    assert_eq!((forced.reason, forced.retry_after), (RejectReason::ForcedOpen, None));
}

#[test]
fn retry_after_is_what_is_left_of_the_open_time() {
    let (breaker, clock) = live(plain());
    trip(&breaker);
    clock.advance(secs(18));
    let open = rejected(&breaker);
    assert_eq!((open.reason, open.retry_after), (RejectReason::Open, Some(secs(42))));
    assert_eq!(open.to_string(), "call to `upstream` rejected: the circuit is open");
}
