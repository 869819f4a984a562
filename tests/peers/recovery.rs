//! Probes, late results and permits: how a circuit leaves half-open.

use tower_breaker::{Breaker, CallError, Outcome, Permit, Rejected, State, circuit::RejectReason};

use crate::support::*;

// Peers take the success of a call that was admitted before the trip for that of a probe, and close
// the circuit while the only probe hangs.
#[test]
fn defect_02_a_call_from_before_the_trip_does_not_close_a_half_open_circuit() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let early = admitted(&breaker);
    let _hangs = first_probe(&breaker, &clock);
    early.success();
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(rejected(&breaker).reason, RejectReason::NoProbeLeft);
    assert_eq!(breaker.snapshot().late, 1);
}

// The same the other way round: its failure must not throw the probes away.
#[test]
fn defect_02_a_failure_from_before_the_trip_does_not_reopen_a_half_open_circuit() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let early = admitted(&breaker);
    let probe = first_probe(&breaker, &clock);
    early.failure();
    assert_eq!(breaker.state(), State::HalfOpen);
    probe.success();
    assert_eq!(breaker.state(), State::Closed);
}

// A probe that never ends keeps a peer half-open, and rejecting, for ever.
#[test]
fn defect_03_a_hung_probe_does_not_wedge_half_open() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    let _hangs = first_probe(&breaker, &clock);
    assert_eq!(rejected(&breaker).reason, RejectReason::NoProbeLeft);
    clock.advance(secs(120));
    assert_eq!(rejected(&breaker).reason, RejectReason::Open);
    wait_out(&breaker, &clock);
    admitted(&breaker).success();
    assert_eq!(breaker.state(), State::Closed);
}

// A probe that was cancelled keeps its place in a peer, and nobody else gets one.
#[test]
fn defect_03_a_cancelled_probe_does_not_wedge_half_open() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    drop(first_probe(&breaker, &clock));
    for _ in 0..100 {
        drop(admitted(&breaker));
    }
    admitted(&breaker).success();
    assert_eq!(breaker.state(), State::Closed);
}

// A peer's permit that is released without having been a probe raises the number of probes.
#[test]
fn defect_04_a_stray_release_gives_no_place_in_half_open() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(2));
    let strays: Vec<_> = (0..10).map(|_| admitted(&breaker)).collect();
    let first = first_probe(&breaker, &clock);
    let second = admitted(&breaker);
    for (index, stray) in strays.into_iter().enumerate() {
        if index % 2 == 0 {
            drop(stray)
        } else {
            stray.record(Outcome::IGNORED)
        }
        assert_eq!(rejected(&breaker).reason, RejectReason::NoProbeLeft);
    }
    // One place comes back, not more.
    drop(first);
    let third = admitted(&breaker);
    rejected(&breaker);
    drop((second, third));
}

// A peer takes a cancelled probe for a recovery.
#[test]
fn defect_05_a_cancelled_probe_is_no_recovery() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    drop(first_probe(&breaker, &clock));
    assert_eq!(breaker.state(), State::HalfOpen);
}

// Others take a caller that went away for a failure of the service, and open it.
#[test]
fn defect_05_callers_that_go_away_early_do_not_open_the_circuit() {
    let (breaker, clock) = live(plain());
    for _ in 0..1_000 {
        let permit = admitted(&breaker);
        clock.advance(secs(10) - NANO);
        drop(permit);
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().failed, 0);
}

// Nor do they hide failures: a run goes on around them.
#[test]
fn defect_05_a_cancelled_call_does_not_end_a_run_of_failures() {
    let (breaker, _) = live(plain());
    for _ in 0..4 {
        admitted(&breaker).failure();
        drop(admitted(&breaker));
    }
    admitted(&breaker).failure();
    assert_eq!(breaker.state(), State::Open);
}

// A `select!` that drops the call leaks a peer's permit: it answers 503 until it is restarted.
#[tokio::test(start_paused = true)]
async fn defect_06_select_leaks_no_permit() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    trip(&breaker);
    wait_out(&breaker, &clock);
    for _ in 0..100 {
        let hangs = breaker.call(async || std::future::pending::<Result<(), ()>>().await);
        tokio::select! {
            _ = hangs => unreachable!("it never ends"),
            () = tokio::time::sleep(ms(1)) => {}
        }
    }
    assert_eq!(breaker.call(async || Ok::<_, ()>(7)).await, Ok(7));
    assert_eq!(breaker.state(), State::Closed);
}

// So does an early return between the permit and its result.
#[test]
fn defect_06_an_early_return_leaks_no_permit() {
    fn handler(breaker: &Breaker) -> Result<(), CallError<&'static str>> {
        let permit: Permit =
            breaker.try_acquire().map_err(|it: Rejected| CallError::Rejected(it))?;
        Err(CallError::Inner("the request was malformed"))?;
        permit.success();
        Ok(())
    }
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    drop(first_probe(&breaker, &clock));
    for _ in 0..100 {
        assert!(!handler(&breaker).unwrap_err().is_rejected());
    }
    admitted(&breaker).success();
    assert_eq!(breaker.state(), State::Closed);
}

// A peer that opened for slowness closes again on probes that succeed, however slowly.
#[test]
fn defect_08_slow_probes_do_not_close_a_circuit_that_opened_for_slowness() {
    let (breaker, clock) = live(slow_rate(0.5, 10, 2).permitted_calls_in_half_open(2));
    let slow_success = || {
        let permit = admitted(&breaker);
        clock.advance(secs(1));
        permit.success();
    };
    slow_success();
    slow_success();
    assert_eq!(breaker.state(), State::Open);
    wait_out(&breaker, &clock);
    slow_success();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().reopens, 1);
}
