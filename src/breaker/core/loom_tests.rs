//! The live circuit under loom, which tries the orders that threads can run in.
//!
//! Each test asserts on what no order may bring about, after all threads have ended and the circuit
//! was read under its lock.

use std::{sync::Arc, time::Duration};

use loom::thread;

use super::{Lanes, LiveCircuit, UNREAD};
use crate::{
    breaker::clock::{ClockSource, ManualClock},
    circuit::{Circuit, Outcome, Settings, SettingsBuilder, State},
};

fn circuit(settings: SettingsBuilder, lanes: usize) -> (Arc<LiveCircuit>, ManualClock) {
    let clock = ManualClock::new();
    let settings = settings.jitter(0.0).build().expect("valid settings");
    let circuit = Circuit::new(Arc::new(settings), 0);
    let source = ClockSource::Custom(Arc::new(clock.clone()));
    (Arc::new(LiveCircuit::new(circuit, source, Lanes::many(lanes))), clock)
}

/// Asks on a lane; the gate if admitted.
fn ask(circuit: &LiveCircuit, lane: usize) -> Option<super::GateWord> {
    let lane = circuit.lanes().get(lane);
    circuit
        .ask(lane)
        .or_else(|| if circuit.refuses() { None } else { circuit.ask_closely(lane, |_| {}).ok() })
}

fn end(circuit: &LiveCircuit, lane: usize, gate: super::GateWord, outcome: Outcome) {
    let lane = circuit.lanes().get(lane);
    if !(outcome.is_plain_success() && circuit.succeed(lane, gate, UNREAD)) {
        circuit.book(lane, gate, UNREAD, outcome, |_| {});
    }
}

#[test]
fn loom_no_success_is_lost_or_counted_twice() {
    loom::model(|| {
        let settings = Settings::builder()
            .failure_threshold(None)
            .failure_rate_threshold(1.0)
            .minimum_number_of_calls(10);
        let (circuit, _) = circuit(settings, 2);
        let threads: Vec<_> = [[Outcome::SUCCESS; 2], [Outcome::SUCCESS, Outcome::FAILURE]]
            .into_iter()
            .enumerate()
            .map(|(lane, outcomes)| {
                let circuit = Arc::clone(&circuit);
                thread::spawn(move || {
                    for outcome in outcomes {
                        let gate = ask(&circuit, lane).expect("it is closed");
                        end(&circuit, lane, gate, outcome);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        circuit.read(circuit.lanes().get(0), |circuit, read| {
            assert_eq!((circuit.counts().calls, circuit.counts().failures), (4, 1));
            assert_eq!((read.totals.successes, read.totals.failures), (3, 1));
        });
        assert_eq!(circuit.admitted(), 4);
    });
}

#[test]
fn loom_the_success_that_completes_the_minimum_trips() {
    loom::model(|| {
        // One failure in three calls is over the rate: whichever call comes last trips, and it may
        // be a success that takes no lock.
        let settings = Settings::builder()
            .failure_threshold(None)
            .failure_rate_threshold(0.3)
            .minimum_number_of_calls(3);
        let (circuit, _) = circuit(settings, 2);
        let gates: Vec<_> = (0..3).map(|_| ask(&circuit, 0).expect("it is closed")).collect();
        let successes = {
            let (circuit, gate) = (Arc::clone(&circuit), gates[0]);
            thread::spawn(move || {
                end(&circuit, 0, gate, Outcome::SUCCESS);
                end(&circuit, 0, gate, Outcome::SUCCESS);
            })
        };
        end(&circuit, 1, gates[2], Outcome::FAILURE);
        successes.join().unwrap();
        circuit.read(circuit.lanes().get(0), |circuit, _| {
            assert_eq!(circuit.state(), State::Open);
            assert_eq!((circuit.counts().calls, circuit.counts().failures), (3, 1));
        });
    });
}

#[test]
fn loom_a_success_ends_a_run_of_failures_or_comes_before_it() {
    loom::model(|| {
        let (circuit, _) = circuit(Settings::builder().failure_threshold(2), 2);
        let gate = ask(&circuit, 0).expect("it is closed");
        let success = {
            let circuit = Arc::clone(&circuit);
            thread::spawn(move || end(&circuit, 0, gate, Outcome::SUCCESS))
        };
        end(&circuit, 1, gate, Outcome::FAILURE);
        end(&circuit, 1, gate, Outcome::FAILURE);
        success.join().unwrap();
        circuit.read(circuit.lanes().get(0), |circuit, read| {
            match circuit.state() {
                State::Open => {}
                // The success came between the two, or after the first of them.
                State::Closed => assert_eq!(circuit.consecutive_failures(), 1),
                other => panic!("{other}"),
            }
            assert_eq!(read.totals.successes + read.totals.late, 1);
        });
    });
}

#[test]
fn loom_the_half_open_budget_is_never_exceeded() {
    loom::model(|| {
        let settings = Settings::builder()
            .failure_threshold(1)
            .permitted_calls_in_half_open(1)
            .recovery_timeout(Duration::from_secs(1));
        let (circuit, clock) = circuit(settings, 2);
        let gate = ask(&circuit, 0).expect("it is closed");
        end(&circuit, 0, gate, Outcome::FAILURE);
        clock.advance(Duration::from_secs(1));

        let other = {
            let circuit = Arc::clone(&circuit);
            thread::spawn(move || u32::from(ask(&circuit, 1).is_some()))
        };
        let here = u32::from(ask(&circuit, 0).is_some());
        assert_eq!(here + other.join().unwrap(), 1, "one probe and not none");
    });
}

#[test]
fn loom_a_result_of_an_earlier_generation_decides_nothing() {
    loom::model(|| {
        let settings = Settings::builder()
            .failure_threshold(1)
            .failure_rate_threshold(0.5)
            .minimum_number_of_calls(1);
        let (circuit, _) = circuit(settings, 2);
        let gate = ask(&circuit, 0).expect("it is closed");
        let late = {
            let circuit = Arc::clone(&circuit);
            thread::spawn(move || end(&circuit, 0, gate, Outcome::SUCCESS))
        };
        end(&circuit, 1, gate, Outcome::FAILURE);
        circuit.with(
            0,
            circuit.lanes().get(1),
            |_| {},
            |circuit, now, out| {
                circuit.reset(now, out);
            },
        );
        late.join().unwrap();
        circuit.read(circuit.lanes().get(0), |circuit, _| {
            assert_eq!(circuit.state(), State::Closed);
            assert_eq!(circuit.counts().calls, 0, "the success was of an earlier generation");
        });
    });
}

#[test]
fn loom_a_lease_is_not_used_after_its_slice() {
    loom::model(|| {
        let settings = Settings::builder()
            .failure_threshold(None)
            .failure_rate_threshold(1.0)
            .minimum_number_of_calls(5)
            .sliding_window(crate::SlidingWindow::Time {
                duration: Duration::from_millis(2),
                slices: 2,
            });
        let (circuit, clock) = circuit(settings, 2);
        let gate = ask(&circuit, 0).expect("it is closed");
        let success = {
            let circuit = Arc::clone(&circuit);
            thread::spawn(move || end(&circuit, 0, gate, Outcome::SUCCESS))
        };
        clock.advance(Duration::from_millis(1));
        end(&circuit, 1, gate, Outcome::FAILURE);
        success.join().unwrap();
        let counted = |circuit: &LiveCircuit| {
            circuit.read(circuit.lanes().get(0), |circuit, read| circuit.counts_at(read.now).calls)
        };
        assert_eq!(counted(&circuit), 2);
        // The failure leaves with its slice, and with it whatever was booked in the same one.
        clock.advance(Duration::from_millis(2));
        assert_eq!(counted(&circuit), 0);
    });
}

#[test]
fn loom_calls_in_flight_are_counted_exactly_when_nothing_moves() {
    loom::model(|| {
        let settings = Settings::builder()
            .slow_call_rate_threshold(1.0)
            .slow_call_duration_threshold(Duration::from_millis(4))
            .minimum_number_of_calls(100);
        let (circuit, clock) = circuit(settings, 1);
        let gate = ask(&circuit, 0).expect("it is closed");
        let other = {
            let circuit = Arc::clone(&circuit);
            thread::spawn(move || {
                let lane = circuit.lanes().get(0);
                let tag = circuit.track(lane, gate, 0, |_| {});
                circuit.untrack(lane, tag, 0);
            })
        };
        let lane = circuit.lanes().get(0);
        circuit.track(lane, gate, 0, |_| {});
        other.join().unwrap();
        clock.advance(Duration::from_millis(6));
        circuit.read(lane, |_, read| assert_eq!(read.slow_in_flight, 1));
    });
}
