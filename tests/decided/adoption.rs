//! What the core offers to those who coordinate several processes.

use tower_breaker::{
    Breaker, Outcome, State,
    breaker::{Change, clock::ManualClock},
    circuit::{
        Adoption, Command, Gate, Origin, Override, Reason, RejectReason, TripReason, Underlying,
        Version,
    },
};

use crate::support::*;

fn shared(state: State, counter: u64) -> Adoption {
    Adoption {
        state,
        elapsed: secs(10),
        open_for: secs(40),
        reopens: 2,
        version: Version::new(0, counter),
    }
}

fn granted() -> (Breaker, ManualClock) {
    let (breaker, clock) = live(plain());
    breaker.set_gate(Gate::Granted);
    breaker.keep_changes();
    trip(&breaker);
    wait_out(&breaker, &clock);
    (breaker, clock)
}

#[test]
fn adopting_open_takes_over_what_is_left_of_it() {
    let (breaker, clock) = live(plain());
    let early = admitted(&breaker);
    let mut events = breaker.subscribe();
    breaker.adopt(shared(State::Open, 7));
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.remaining), (State::Open, Some(secs(30))));
    assert_eq!((snapshot.reopens, snapshot.version), (2, Version::new(0, 7)));
    assert_eq!(snapshot.trip_reason, Some(TripReason::Adopted));
    early.failure();
    assert_eq!(breaker.snapshot().late, 1);
    let [open] = transitions(&mut events)[..] else { panic!("one transition") };
    assert_eq!((open.reason, open.by), (Reason::Adopted, Origin::Peer));
    wait_out(&breaker, &clock);
    calls(&breaker, 1, Outcome::SUCCESS);
}

#[test]
fn a_version_that_is_not_newer_is_ignored() {
    let (breaker, _) = live(plain());
    breaker.adopt(shared(State::Open, 7));
    breaker.adopt(shared(State::Closed, 7));
    breaker.adopt(shared(State::Closed, 6));
    assert_eq!(breaker.state(), State::Open);
    breaker.adopt(Adoption { version: Version::new(1, 0), ..shared(State::Closed, 0) });
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn adopting_what_changes_no_state_begins_no_generation() {
    let (breaker, _) = live(plain());
    calls(&breaker, 4, Outcome::FAILURE);
    let generation = breaker.snapshot().generation;
    breaker.adopt(shared(State::Closed, 7));
    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.generation, generation);
    assert_eq!(snapshot.version, Version::new(0, 7));
    assert_eq!(snapshot.consecutive_failures, 4);
}

#[test]
fn two_openings_merge_and_the_later_end_wins() {
    for (open_for, left) in [(secs(500), secs(490)), (secs(20), secs(60))] {
        let (breaker, _) = live(plain());
        trip(&breaker);
        let generation = breaker.snapshot().generation;
        breaker.adopt(Adoption { open_for, ..shared(State::Open, 7) });
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.remaining, snapshot.generation), (Some(left), generation));
    }
}

#[test]
fn a_shared_state_that_has_not_changed_does_not_weaken_what_was_decided_here() {
    let (breaker, _) = live(plain());
    breaker.adopt(shared(State::Closed, 7));
    trip(&breaker);
    breaker.adopt(shared(State::Closed, 8));
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn under_an_override_a_shared_state_is_only_remembered() {
    let (breaker, _) = live(plain());
    breaker.metrics_only();
    let generation = breaker.snapshot().generation;
    breaker.adopt(shared(State::Open, 7));
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.generation), (State::MetricsOnly, generation));
    breaker.adopt(shared(State::Closed, 7));
    breaker.lift_override();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn what_was_committed_is_compared_with_and_changes_nothing() {
    let (breaker, _) = live(plain());
    trip(&breaker);
    let before = breaker.snapshot();
    breaker.committed(State::Open, before.version);
    assert_eq!(breaker.snapshot(), before);
    breaker.committed(State::Open, Version::new(0, 7));
    assert_eq!(breaker.snapshot().version, Version::new(0, 7));
    breaker.adopt(shared(State::Closed, 7));
    assert_eq!(breaker.state(), State::Open, "not newer");
    breaker.adopt(shared(State::Closed, 8));
    assert_eq!(breaker.state(), State::Closed, "a peer closed what was open for all");
}

#[test]
fn an_override_of_a_peer_is_in_force_until_a_peer_lifts_it() {
    let (breaker, _) = live(plain());
    trip(&breaker);
    let mut events = breaker.subscribe();
    assert!(breaker.adopt_override(Some(Override::MetricsOnly)));
    assert!(!breaker.adopt_override(Some(Override::MetricsOnly)));
    assert_eq!(breaker.override_in_force(), Some(Override::MetricsOnly));
    calls(&breaker, 10, Outcome::FAILURE);
    assert!(breaker.adopt_override(None));
    assert!(!breaker.adopt_override(None));
    assert_eq!((breaker.override_in_force(), breaker.state()), (None, State::Closed));
    let happened = transitions(&mut events);
    let told: Vec<_> = happened.iter().map(|it| (it.to, it.reason, it.by)).collect();
    assert_eq!(
        told,
        [
            (State::MetricsOnly, Reason::Overridden, Origin::Peer),
            (State::Closed, Reason::OverrideLifted, Origin::Peer),
        ]
    );
}

#[test]
fn the_state_under_the_override_can_be_adopted_elsewhere() {
    let (here, clock) = live(plain());
    trip(&here);
    clock.advance(secs(20));
    let under = here.underlying();
    assert_eq!((under.state, under.elapsed, under.open_for), (State::Open, secs(20), secs(60)));
    let Underlying { state, elapsed, open_for, reopens, version, .. } = under;
    let (there, _) = live(plain());
    there.adopt(Adoption { state, elapsed, open_for, reopens, version });
    assert_eq!(there.snapshot().remaining, Some(secs(40)));
    assert_eq!(there.underlying(), under);
    here.force_open();
    assert_eq!((here.state(), here.underlying().state), (State::ForcedOpen, State::Closed));
}

#[test]
fn a_transition_is_as_old_as_the_clock_of_its_breaker_says() {
    let (breaker, clock) = live(plain());
    let mut events = breaker.subscribe();
    trip(&breaker);
    let [open] = transitions(&mut events)[..] else { panic!("one transition") };
    assert_eq!(breaker.since(open.at), secs(0));
    clock.advance(secs(7));
    assert_eq!(breaker.since(open.at), secs(7));
    assert_eq!(breaker.since(open.at + secs(8)), secs(0), "it is yet to come");
}

#[test]
fn half_open_that_was_adopted_is_probed_by_another() {
    let (breaker, clock) = live(plain());
    trip(&breaker);
    breaker.adopt(shared(State::HalfOpen, 7));
    let refused = rejected(&breaker);
    assert_eq!((refused.state, refused.reason), (State::HalfOpen, RejectReason::AwaitingGrant));
    // The round began 10 s ago, and has an end here too.
    clock.advance(secs(110));
    assert_eq!(rejected(&breaker).state, State::Open);
}

#[test]
fn what_was_recorded_is_restored_with_its_time_clamped() {
    for (elapsed, left) in [(secs(10), secs(30)), (secs(100_000), secs(0))] {
        let (breaker, _) = live(plain());
        breaker.restore(Adoption { elapsed, ..shared(State::Open, 7) });
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.remaining), (State::Open, Some(left)));
    }
}

#[test]
fn a_half_open_round_that_was_recorded_is_restored_as_open_and_over() {
    let (breaker, _) = live(plain());
    breaker.restore(shared(State::HalfOpen, 7));
    assert_eq!(breaker.snapshot().remaining, Some(secs(0)));
    let _probe = admitted(&breaker);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn an_expired_open_asks_for_a_grant_once_and_goes_on_rejecting() {
    let (breaker, _) = granted();
    drop(breaker.take_changes());
    for _ in 0..3 {
        let refused = rejected(&breaker);
        assert_eq!((refused.reason, refused.retry_after), (RejectReason::AwaitingGrant, None));
    }
    assert!(breaker.has_changes());
    assert_eq!(breaker.take_changes().newest, [Change::Command(Command::RequestGrant)]);
    assert!(!breaker.has_changes());
    rejected(&breaker);
    assert!(!breaker.has_changes());
    // Asked again once the answer was no.
    breaker.decline_grant();
    rejected(&breaker);
    assert_eq!(breaker.take_changes().newest, [Change::Command(Command::RequestGrant)]);
}

#[test]
fn a_grant_has_its_own_budget() {
    let (breaker, _) = granted();
    rejected(&breaker);
    assert!(breaker.grant(1, 1, secs(30)));
    let probe = admitted(&breaker);
    rejected(&breaker);
    probe.success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_grant_admits_only_before_its_deadline() {
    let (breaker, clock) = granted();
    assert!(breaker.grant(1, 3, secs(30)));
    let first = admitted(&breaker);
    clock.advance(secs(30));
    assert_eq!(rejected(&breaker).reason, RejectReason::AwaitingGrant);
    first.success();
    clock.advance(secs(90));
    assert_eq!(rejected(&breaker).state, State::Open);
}

#[test]
fn a_grant_that_nobody_waits_for_is_refused() {
    let (breaker, clock) = live(plain());
    assert!(!breaker.grant(1, 3, secs(30)), "closed");
    breaker.set_gate(Gate::Granted);
    trip(&breaker);
    assert!(!breaker.grant(1, 3, secs(30)), "its time runs");
    wait_out(&breaker, &clock);
    assert!(!breaker.grant(1, 0, secs(30)), "no probes");
    assert!(!breaker.grant(1, 3, secs(0)), "over already");
    breaker.force_open();
    assert!(!breaker.grant(1, 3, secs(30)), "overridden");
}

#[test]
fn changes_are_kept_for_a_coordinator_and_counted_where_they_were_overwritten() {
    let (breaker, _) = live(plain());
    breaker.reset();
    assert!(!breaker.has_changes(), "nobody wants them yet");
    breaker.keep_changes();
    for _ in 0..11 {
        breaker.reset();
    }
    let changes = breaker.take_changes();
    assert_eq!((changes.newest.len(), changes.overwritten), (8, 3));
    let generations: Vec<_> = changes
        .newest
        .iter()
        .map(|change| match change {
            Change::Transition(transition) => transition.generation,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(generations, (6..14).collect::<Vec<_>>());
    assert_eq!(breaker.take_changes(), Default::default());
}

#[test]
fn a_breaker_that_was_built_for_a_coordinator_keeps_changes_from_the_start() {
    let breaker = Breaker::builder("upstream").gate(Gate::Granted).build().unwrap();
    breaker.reset();
    assert!(breaker.has_changes());
}

#[test]
fn a_granted_round_without_a_maximum_wait_ends_with_its_lease() {
    let (breaker, clock) = live(plain().failure_threshold(1).max_wait_in_half_open(None));
    breaker.set_gate(Gate::Granted);
    trip(&breaker);
    clock.advance(secs(60));
    rejected(&breaker);
    assert!(breaker.grant(1, 3, secs(5)));
    admitted(&breaker).success();
    assert_eq!(breaker.poll_deadline(), Some(secs(10)));
    clock.advance(secs(10));
    rejected(&breaker);
    assert_eq!((breaker.state(), breaker.snapshot().reopens), (State::Open, 1));
    clock.advance(secs(120));
    rejected(&breaker);
    assert!(breaker.grant(2, 3, secs(5)));
}

#[test]
fn a_breaker_that_is_set_to_wait_for_grants_asks_for_them() {
    let (breaker, clock) = live(plain().failure_threshold(1));
    breaker.set_gate(Gate::Granted);
    trip(&breaker);
    clock.advance(secs(60));
    rejected(&breaker);
    let asked = Change::Command(Command::RequestGrant);
    assert_eq!(breaker.take_changes().newest.last(), Some(&asked));
}

#[test]
fn time_that_the_machine_was_suspended_counts_against_a_grant() {
    let (breaker, clock) = granted();
    assert!(breaker.grant(1, 3, secs(30)));
    let _first = admitted(&breaker);
    clock.suspend(secs(29));
    let _second = admitted(&breaker);
    clock.suspend(secs(1));
    assert_eq!(rejected(&breaker).reason, RejectReason::AwaitingGrant);
}

#[test]
fn a_grant_that_is_renewed_admits_for_longer_and_never_for_less() {
    let (breaker, clock) = granted();
    assert!(!breaker.extend_grant(secs(30)), "there is none yet");
    assert!(breaker.grant(1, 3, secs(30)));
    clock.advance(secs(20));
    assert!(breaker.extend_grant(secs(5)), "over earlier than it was");
    clock.advance(secs(9));
    let _first = admitted(&breaker);
    assert!(breaker.extend_grant(secs(30)));
    clock.advance(secs(29));
    let _second = admitted(&breaker);
    clock.advance(secs(1));
    rejected(&breaker);
}

#[test]
fn a_round_gives_way_to_another_processs_and_its_late_results_decide_nothing() {
    let (breaker, _) = granted();
    assert!(breaker.grant(1, 1, secs(30)));
    let late = admitted(&breaker);
    assert!(breaker.is_probing());
    breaker.adopt(shared(State::HalfOpen, 9));
    assert!(!breaker.is_probing());
    late.success();
    assert_eq!((breaker.state(), breaker.snapshot().late), (State::HalfOpen, 1));
    assert_eq!(rejected(&breaker).reason, RejectReason::AwaitingGrant);
}

/// Whoever grants rounds also says when those of others are over.
#[test]
fn a_round_elsewhere_ends_by_itself_only_where_nobody_grants() {
    for (gate, state) in [(Gate::Granted, State::HalfOpen), (Gate::Local, State::Open)] {
        let (breaker, clock) = live(plain().max_wait_in_half_open(secs(20)));
        breaker.set_gate(gate);
        breaker.adopt(Adoption { elapsed: secs(0), ..shared(State::HalfOpen, 1) });
        clock.advance(secs(20));
        rejected(&breaker);
        assert_eq!(breaker.state(), state);
    }
}

#[test]
fn a_service_that_is_seldom_called_is_probed_by_one_call_a_round() {
    let (breaker, clock) = live(plain());
    breaker.set_gate(Gate::Single);
    assert_eq!(breaker.gate(), Gate::Single);
    trip(&breaker);
    wait_out(&breaker, &clock);
    let probe = admitted(&breaker);
    assert_eq!(rejected(&breaker).reason, RejectReason::NoProbeLeft);
    probe.success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn what_a_fleet_saw_together_opens_a_closed_breaker_alone() {
    let why = TripReason::FleetFailureRate { failures: 6, calls: 10, instances: 3, threshold: 0.5 };
    let (breaker, clock) = live(plain());
    assert!(breaker.trip(why));
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.trip_reason), (State::Open, Some(why)));
    assert!(!breaker.trip(why), "open already");
    breaker.force_open();
    breaker.lift_override();
    breaker.disable();
    assert!(!breaker.trip(why), "overridden");
    assert_eq!(breaker.state(), State::Disabled);
    drop(clock);
}
