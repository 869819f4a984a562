//! What the integration tests have in common: breakers on a clock that the test moves, and the steps
//! that bring them into a state.
#![allow(dead_code, reason = "each test program uses a part of it")]

mod settings;

use std::{sync::mpsc, thread};

use tower_breaker::{
    Breaker, Outcome, Permit, Rejected, State,
    breaker::{EventKind, Events, EventsError, clock::ManualClock},
    circuit::{SettingsBuilder, Transition},
};

pub(crate) use self::settings::*;

/// A breaker and the clock that it reads.
pub(crate) fn live(settings: SettingsBuilder) -> (Breaker, ManualClock) {
    let clock = ManualClock::new();
    // Not at the origin, where "long ago" and "never" could be mistaken for each other.
    clock.advance(secs(1_000));
    let breaker = Breaker::builder("upstream")
        .settings(settings.build().expect("valid settings"))
        .clock(clock.clone())
        .seed(1)
        .build()
        .expect("a valid name");
    (breaker, clock)
}

#[track_caller]
pub(crate) fn admitted(breaker: &Breaker) -> Permit {
    breaker.try_acquire().expect("the call is admitted")
}

#[track_caller]
pub(crate) fn rejected(breaker: &Breaker) -> Rejected {
    breaker.try_acquire().expect_err("the call is rejected")
}

/// Calls that are admitted and end at once.
#[track_caller]
pub(crate) fn calls(breaker: &Breaker, count: u32, outcome: Outcome) {
    for _ in 0..count {
        admitted(breaker).record(outcome);
    }
}

/// Fails calls until the circuit opens.
#[track_caller]
pub(crate) fn trip(breaker: &Breaker) {
    for _ in 0..10_000 {
        admitted(breaker).failure();
        if breaker.state() == State::Open {
            return;
        }
    }
    panic!("10000 failures did not open the circuit");
}

/// Opens the circuit, waits its time out and returns the first probe.
#[track_caller]
pub(crate) fn first_probe(breaker: &Breaker, clock: &ManualClock) -> Permit {
    await_probe(breaker, clock);
    let probe = admitted(breaker);
    assert_eq!(breaker.state(), State::HalfOpen);
    probe
}

/// Opens the circuit and waits its time out, so that the next call is a probe.
#[track_caller]
pub(crate) fn await_probe(breaker: &Breaker, clock: &ManualClock) {
    trip(breaker);
    wait_out(breaker, clock);
}

/// Moves the clock to the end of the open time.
#[track_caller]
pub(crate) fn wait_out(breaker: &Breaker, clock: &ManualClock) {
    clock.advance(breaker.snapshot().remaining.expect("the circuit is open"));
}

/// The events there are, and how many were missed.
pub(crate) fn drain(events: &mut Events) -> (Vec<EventKind>, u64) {
    let (mut kinds, mut missed) = (Vec::new(), 0);
    loop {
        match events.try_recv() {
            Ok(Some(event)) => kinds.push(event.kind),
            Err(EventsError::Missed(more)) => missed += more,
            Ok(None) | Err(EventsError::Closed) => return (kinds, missed),
        }
    }
}

/// The transitions among the events there are.
pub(crate) fn transitions(events: &mut Events) -> Vec<Transition> {
    let of = |kind| match kind {
        EventKind::Transition(transition) => Some(transition),
        _ => None,
    };
    drain(events).0.into_iter().filter_map(of).collect()
}

/// Runs `test` on a thread of its own, so that a deadlock is a failure and not a test that hangs.
#[track_caller]
pub(crate) fn without_deadlock(test: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let running = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match finished.recv_timeout(secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a deadlock"),
        // It sent, or it panicked: the join says which.
        _ => running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}
