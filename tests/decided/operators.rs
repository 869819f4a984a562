//! What people do to a circuit: overrides, resets, new settings.

use std::sync::Arc;

use tower_breaker::{
    Breaker, Outcome, Settings, SlidingWindow, State,
    breaker::clock::ManualClock,
    circuit::{Origin, Override, Reason},
};

use crate::support::*;

const OVERRIDES: [Override; 3] = [Override::ForcedOpen, Override::Disabled, Override::MetricsOnly];

/// A breaker in each of the states, with what brought it there still to be seen.
fn in_every_state() -> Vec<(Breaker, ManualClock)> {
    let fresh = || live(rate(0.5, SlidingWindow::count(100), 50).failure_threshold(5));
    let mut all = vec![fresh(), fresh(), fresh()];
    calls(&all[0].0, 3, Outcome::FAILURE);
    trip(&all[1].0);
    let (breaker, clock) = &all[2];
    first_probe(breaker, clock).failure();
    for over in OVERRIDES {
        let (breaker, clock) = fresh();
        calls(&breaker, 3, Outcome::FAILURE);
        breaker.set_override(over);
        all.push((breaker, clock));
    }
    all
}

#[test]
fn every_override_reset_and_lift_begins_a_generation() {
    for (breaker, _) in in_every_state() {
        let mut generation = breaker.snapshot().generation;
        let mut begins = |what: &str, does: &dyn Fn(&Breaker)| {
            does(&breaker);
            let next = breaker.snapshot().generation;
            assert_eq!(next, generation + 1, "{what} in {}", breaker.state());
            generation = next;
        };
        begins("reset", &Breaker::reset);
        for over in OVERRIDES {
            begins("override", &|breaker| breaker.set_override(over));
            begins("the same override", &|breaker| breaker.set_override(over));
        }
        begins("lift", &Breaker::lift_override);
    }
}

#[test]
fn every_state_change_begins_a_generation() {
    let (breaker, clock) = live(plain());
    let mut events = breaker.subscribe();
    first_probe(&breaker, &clock).success();
    calls(&breaker, 1, Outcome::SUCCESS);
    breaker.disable();
    breaker.lift_override();
    let generations: Vec<_> = transitions(&mut events).iter().map(|it| it.generation).collect();
    assert_eq!(generations, [2, 3, 4, 5, 6]);
}

#[test]
fn a_reset_clears_everything_from_any_state() {
    for (breaker, _) in in_every_state() {
        let before = breaker.state();
        breaker.reset();
        let snapshot = breaker.snapshot();
        let expected = if before.is_override() { before } else { State::Closed };
        assert_eq!(snapshot.state, expected);
        assert_eq!(snapshot.consecutive_failures, 0);
        assert_eq!((snapshot.counts.calls, snapshot.reopens), (0, 0));
        assert_eq!((snapshot.trip_reason, snapshot.remaining), (None, None));
        if !before.is_override() {
            calls(&breaker, 4, Outcome::FAILURE);
            assert_eq!(breaker.state(), State::Closed);
        }
    }
}

#[test]
fn overrides_start_with_an_empty_window() {
    for over in OVERRIDES {
        let (breaker, _) = live(rate(0.5, SlidingWindow::count(10), 10));
        calls(&breaker, 9, Outcome::FAILURE);
        breaker.set_override(over);
        assert_eq!(breaker.snapshot().counts.calls, 0);
        breaker.lift_override();
        calls(&breaker, 9, Outcome::FAILURE);
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn lifting_closes_with_an_empty_window_from_any_override() {
    for over in OVERRIDES {
        let (breaker, _) = live(plain());
        trip(&breaker);
        breaker.set_override(over);
        breaker.lift_override();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.trip_reason), (State::Closed, None));
        calls(&breaker, 4, Outcome::FAILURE);
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn lifting_without_an_override_does_nothing() {
    let (breaker, _) = live(plain());
    trip(&breaker);
    let before = breaker.snapshot();
    let mut events = breaker.subscribe();
    breaker.lift_override();
    assert_eq!(breaker.snapshot(), before);
    assert!(transitions(&mut events).is_empty());
}

#[test]
fn metrics_only_computes_and_never_rejects() {
    let (breaker, _) = live(rate(0.5, SlidingWindow::count(10), 2).failure_threshold(3));
    breaker.metrics_only();
    calls(&breaker, 100, Outcome::FAILURE);
    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.state, State::MetricsOnly);
    assert_eq!(snapshot.failure_rate, Some(1.0));
    assert_eq!((snapshot.consecutive_failures, snapshot.rejected), (100, 0));
}

#[test]
fn disabled_admits_and_records_nothing() {
    let (breaker, _) = live(rate(0.5, SlidingWindow::count(10), 2).failure_threshold(3));
    breaker.disable();
    calls(&breaker, 100, Outcome::FAILURE);
    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.state, State::Disabled);
    assert_eq!((snapshot.counts.calls, snapshot.consecutive_failures), (0, 0));
}

#[test]
fn what_people_did_is_told_as_theirs() {
    let (breaker, _) = live(plain());
    let mut events = breaker.subscribe();
    breaker.force_open();
    breaker.lift_override();
    breaker.reset();
    let told: Vec<_> =
        transitions(&mut events).iter().map(|it| (it.from, it.to, it.reason, it.by)).collect();
    let by = Origin::Operator;
    assert_eq!(
        told,
        [
            (State::Closed, State::ForcedOpen, Reason::Overridden, by),
            (State::ForcedOpen, State::Closed, Reason::OverrideLifted, by),
            (State::Closed, State::Closed, Reason::Reset, by),
        ]
    );
}

#[test]
fn new_settings_keep_the_window_and_the_generation() {
    let (breaker, _) = live(rate(0.9, SlidingWindow::count(100), 10));
    calls(&breaker, 6, Outcome::FAILURE);
    calls(&breaker, 6, Outcome::SUCCESS);
    let before = breaker.snapshot();
    let permit = admitted(&breaker);
    breaker.configure(rate(0.5, SlidingWindow::count(100), 10).build().unwrap());
    let after = breaker.snapshot();
    assert_eq!((after.counts, after.generation), (before.counts, before.generation));
    // They are judged with the next result, though it is a success, and one of before.
    assert_eq!(after.state, State::Closed);
    breaker.configure(rate(0.45, SlidingWindow::count(100), 10).build().unwrap());
    permit.success();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_smaller_window_keeps_the_newest_calls() {
    let (breaker, _) = live(rate(0.9, SlidingWindow::count(100), 10));
    calls(&breaker, 50, Outcome::SUCCESS);
    calls(&breaker, 5, Outcome::FAILURE);
    breaker.configure(rate(0.9, SlidingWindow::count(10), 10).build().unwrap());
    let counts = breaker.snapshot().counts;
    assert_eq!((counts.calls, counts.failures), (10, 5));
}

#[test]
fn a_window_of_another_kind_carries_the_counts_over() {
    let (breaker, clock) = live(rate(0.9, SlidingWindow::count(100), 10));
    calls(&breaker, 5, Outcome::FAILURE);
    calls(&breaker, 5, Outcome::SUCCESS);
    let before = breaker.snapshot().counts;
    breaker.configure(rate(0.9, SlidingWindow::time(secs(10)), 10).build().unwrap());
    assert_eq!(breaker.snapshot().counts, before);
    clock.advance(secs(5));
    breaker.configure(rate(0.9, SlidingWindow::count(50), 10).build().unwrap());
    assert_eq!(breaker.snapshot().counts, before);
}

#[test]
fn new_settings_keep_an_open_time_and_the_places_of_a_round() {
    let (breaker, clock) = live(plain().permitted_calls_in_half_open(1));
    trip(&breaker);
    let shorter = plain().recovery_timeout(secs(1)).permitted_calls_in_half_open(5);
    breaker.configure(shorter.build().unwrap());
    assert_eq!(breaker.snapshot().remaining, Some(secs(60)));
    wait_out(&breaker, &clock);
    let _five: Vec<_> = (0..5).map(|_| admitted(&breaker)).collect();
    breaker.configure(plain().permitted_calls_in_half_open(9).build().unwrap());
    rejected(&breaker);
}

#[test]
fn settings_are_read_back_as_they_were_put_in_force() {
    let (breaker, _) = live(plain());
    let settings = Arc::new(Settings::builder().failure_threshold(9).build().unwrap());
    breaker.configure(Arc::clone(&settings));
    assert_eq!(breaker.settings(), settings);
    calls(&breaker, 8, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, Outcome::FAILURE);
    assert_eq!(breaker.state(), State::Open);
}
