//! Logs that are wrong in one way each.

use tower_breaker::{State, circuit::Version, store::Lane};

use super::{
    Defect, Least,
    story::{A, B, MS, Story, good, turn},
};
use crate::{
    log::{FaultKind, Phase, Rule},
    said::{Answer, Line, Stats},
    upstream::Round,
};

#[test]
fn a_log_as_it_should_be_is_good() {
    let (defects, counts) = good().defects(&Least { takeovers: 1, fenced: 1, ..Least::default() });
    assert_eq!(defects, []);
    assert_eq!((counts.leases, counts.leased, counts.writes), (1, (1, 3), 3));
    assert_eq!((counts.agreed_after, counts.taken), (100, [[300; 3], [200; 3]]));
}

/// A log that is wrong in one way.
fn bad(plant: impl FnOnce(&mut Story)) -> Vec<Defect> {
    let mut story = good();
    plant(&mut story);
    story.defects(&Least::default()).0
}

#[test]
fn each_defect_is_called_by_its_name() {
    type Plant = fn(&mut Story);
    let planted: &[(Defect, Plant)] = &[
        (Defect::VersionTwice, |story| {
            let mut write = story.attempt(3, State::Open, "probes_failed");
            write.expected = Some(Version::new(0, 1));
            story.writes(A, 500, write);
            // It is over a version of its own: only the version is there twice.
            let over = story.log.said.len() - 2;
            if let Line::Try(write) = &mut story.log.said[over].1.line {
                write.expected = Some(Version::default());
            }
        }),
        (Defect::Fork, |story| {
            let mut write = story.attempt(4, State::Open, "reset");
            write.expected = Some(Version::new(0, 2));
            story.writes(B, 500, write);
            story.ends(4, State::Open);
        }),
        (Defect::UnknownBase, |story| {
            let mut write = story.attempt(9, State::Open, "reset");
            write.expected = Some(Version::new(0, 8));
            story.writes(B, 500, write);
            story.ends(9, State::Open);
        }),
        (Defect::WentBack, |story| {
            let mut write = story.attempt(2, State::Open, "reset");
            write.expected = Some(Version::default());
            write.attempt.lane = Lane::Override;
            write.attempt.version = Version::new(0, 2);
            story.writes(A, 500, write);
            let mut write = story.attempt(1, State::Open, "reset");
            write.attempt.lane = Lane::Override;
            story.writes(A, 510, write);
        }),
        (Defect::Lost, |story| story.ends(2, State::Closed)),
        (Defect::History, |story| story.log.history.push("a gap".to_owned())),
        (Defect::TwoHolders, |story| {
            story.leases(B, 500, 4, 8);
            story.arrive(B, 4, &[510], 0);
            story.ends(4, State::HalfOpen);
            let round = Round { who: A, service: "a".to_owned(), generation: 2 };
            story.log.arrivals.get_mut(&round).unwrap().calls[2].admitted = 800 * MS;
        }),
        (Defect::LateResult, |story| {
            story.leases(B, 500, 4, 8);
            let write = story.attempt(5, State::Closed, "probes_succeeded");
            story.writes(A, 600, write);
            story.ends(5, State::Closed);
        }),
        (Defect::TooManyProbes, |story| story.arrive(A, 2, &[416], 0)),
        (Defect::UnleasedProbe, |story| {
            story.says(
                B,
                1450,
                Line::Turn(turn(State::Open, State::HalfOpen, 5, "recovery_time_elapsed")),
            );
            story.arrive(B, 5, &[460], 0);
        }),
        (Defect::OpenedWithoutFailures, |story| {
            story.log.arrivals.retain(|round, _| round.generation != 0);
        }),
        (Defect::UnexplainedOutage, |story| {
            story.says(B, 500, Line::Store { up: false, error: None });
        }),
        (Defect::Disagreement, |story| story.log.end.as_mut().unwrap().agreed = None),
        (Defect::Disagreement, |story| {
            story.log.end.as_mut().unwrap().agreed = Some(3100 * MS);
        }),
        (Defect::Slow, |story| {
            let ours = vec![200_000; 20];
            story.says(B, 950, Line::Speed { ours, control: vec![200; 20] });
        }),
    ];
    for (defect, plant) in planted {
        assert_eq!(bad(plant), [*defect]);
    }
}

/// The circuit of `good` is open from 100 ms to 500 ms.
#[test]
fn what_has_to_be_so_for_a_while_is_looked_at() {
    for (rule, began, ended, defect) in [
        (Rule::NobodyOpensBut(0), 0, 500, None),
        (Rule::NobodyOpensBut(1), 0, 500, Some(Defect::OpenedForAll)),
        (Rule::NobodyOpensBut(1), 150, 500, None),
        (Rule::AllOpen, 0, 200, Some(Defect::StayedClosed)),
        (Rule::AllCloseBut(None), 0, 200, Some(Defect::StayedOpen)),
        (Rule::AllCloseBut(Some(0)), 0, 200, None),
        (Rule::AllCloseBut(None), 0, 600, None),
    ] {
        let mut story = good();
        let closed = turn(State::HalfOpen, State::Closed, 3, "probes_succeeded");
        story.says(A, 500, Line::Turn(closed));
        story.log.phases.push(Phase { rule, began: began * MS, ended: ended * MS });
        let defects = story.defects(&Least::default()).0;
        assert_eq!(defects, Vec::from_iter(defect), "{rule:?} until {ended}");
    }
    let mut story = good();
    let opened = turn(State::Closed, State::Open, 1, "adopted");
    story.says(B, 105, Line::Turn(opened));
    story.log.phases.push(Phase { rule: Rule::AllOpen, began: 0, ended: 200 * MS });
    assert_eq!(story.defects(&Least::default()).0, []);
}

#[test]
fn a_run_that_saw_too_little_proved_nothing() {
    let most = [
        Least { takeovers: 2, ..Least::default() },
        Least { fenced: 2, ..Least::default() },
        Least { fail_overs: 1, ..Least::default() },
        Least { reseeds: 1, ..Least::default() },
        Least { leased: 2, ..Least::default() },
        Least { unused: 1, ..Least::default() },
        Least { low_traffic: 1, ..Least::default() },
        Least { calls: 5001, ..Least::default() },
    ];
    for least in most {
        assert_eq!(good().defects(&least).0, [Defect::ProvedNothing], "{least:?}");
    }
}

// ===== what is excepted has to be explained =====

/// B probes without a lease.
fn alone(story: &mut Story, probes: &[u64]) {
    story.says(B, 440, Line::Store { up: false, error: None });
    let turn = turn(State::Open, State::HalfOpen, 5, "recovery_time_elapsed");
    story.says(B, 450, Line::Turn(turn));
    story.arrive(B, 5, probes, 0);
}

#[test]
fn a_process_probes_alone_while_its_stores_are_away_and_no_more_than_its_own_share() {
    let mut story = good();
    story.fault(FaultKind::DurableCut, Some(1), 400, 500);
    alone(&mut story, &[460, 461, 462]);
    let (defects, counts) = story.defects(&Least::default());
    assert_eq!((defects, counts.alone), (vec![], (1, 3)));
    story.arrive(B, 5, &[463], 0);
    assert_eq!(story.defects(&Least::default()).0, [Defect::TooManyProbes]);
    // The way of another process explains nothing.
    story.log.faults[0].slot = Some(0);
    let defects = story.defects(&Least::default()).0;
    assert_eq!(defects, [Defect::TooManyProbes, Defect::UnexplainedOutage]);
}

#[test]
fn a_process_probes_without_a_lease_after_two_that_nobody_used() {
    for (unused, right) in [(1, false), (2, true)] {
        let mut story = good();
        let mut write = story.attempt(4, State::Open, "lease_unused");
        write.unused = Some(unused);
        story.writes(A, 430, write);
        story.says(
            B,
            1450,
            Line::Turn(turn(State::Open, State::HalfOpen, 5, "recovery_time_elapsed")),
        );
        story.arrive(B, 5, &[460], 0);
        story.ends(4, State::Open);
        let (defects, counts) = story.defects(&Least::default());
        let wrong = if right { vec![] } else { vec![Defect::UnleasedProbe] };
        assert_eq!((defects, counts.low_traffic.0), (wrong, u64::from(right)));
    }
}

#[test]
fn a_holder_that_was_stopped_past_its_term_may_add_its_own_share() {
    let mut story = good();
    story.leases(B, 500, 4, 8);
    story.ends(4, State::HalfOpen);
    let round = Round { who: A, service: "a".to_owned(), generation: 2 };
    story.log.arrivals.get_mut(&round).unwrap().calls[2].admitted = 800 * MS;
    story.fault(FaultKind::Stopped, Some(0), 410, 790);
    let (defects, counts) = story.defects(&Least::default());
    assert_eq!((defects, counts.after_stop), (vec![], 1));
}

#[test]
fn two_tiers_may_be_written_over_one_version_while_one_is_away() {
    let mut story = good();
    let mut write = story.attempt(4, State::Open, "reset");
    write.expected = Some(Version::new(0, 2));
    story.writes(B, 500, write);
    story.ends(4, State::Open);
    story.fault(FaultKind::CacheCut, Some(1), 490, 510);
    assert_eq!(story.defects(&Least::default()).0, [Defect::Fork], "there is one tier");
    story.log.setup.tiered = true;
    let (defects, counts) = story.defects(&Least::default());
    assert_eq!((defects, counts.forks), (vec![], 1));
}

#[test]
fn tiers_that_had_different_writes_may_give_one_of_them_a_version_of_its_own() {
    let mut story = good();
    let mut write = story.attempt(5, State::Open, "reset");
    write.expected = Some(Version::new(0, 4));
    story.writes(B, 500, write);
    story.says(B, 900, Line::Stats(Stats { gave_way: 1, ..Stats::default() }));
    story.ends(5, State::Open);
    assert_eq!(story.defects(&Least::default()).0, [Defect::UnknownBase], "there is one tier");
    story.log.setup.tiered = true;
    assert_eq!(story.defects(&Least::default()).0, []);
    let mut write = story.attempt(7, State::Open, "reset");
    write.expected = Some(Version::new(0, 6));
    story.writes(B, 510, write);
    story.ends(7, State::Open);
    assert_eq!(story.defects(&Least::default()).0, [Defect::UnknownBase], "one gave way");
}

#[test]
fn on_a_machine_that_is_busy_one_call_in_a_hundred_tells_what_a_store_costs() {
    let slow = |slow: usize, ours: u32, control: u32| {
        let mut story = good();
        let taken = |by: u32| [vec![by; slow], vec![200; 10_000 - slow]].concat();
        let (ours, control) = (taken(ours), taken(control));
        story.says(B, 950, Line::Speed { ours, control });
        story.defects(&Least::default()).0
    };
    assert_eq!(slow(30, 120_000, 10_000), [Defect::Slow]);
    assert_eq!(slow(30, 300_000, 60_000), []);
    assert_eq!(slow(300, 300_000, 60_000), [Defect::Slow]);
}

#[test]
fn the_result_of_a_lease_that_is_still_held_is_none_that_is_late() {
    let mut story = good();
    story.leases(B, 500, 4, 8);
    story.arrive(B, 4, &[510], 0);
    story.closes(B, 520, 5);
    story.ends(5, State::Closed);
    assert_eq!(story.defects(&Least::default()).0, []);
}

#[test]
fn a_write_whose_answer_was_lost_is_taken() {
    let mut story = good();
    let write = story.attempt(4, State::Open, "reset");
    let (version, change) = (write.attempt.version, write.attempt.change);
    for answer in [
        Answer::Failed { error: "away".to_owned() },
        Answer::Conflict { version: Some(version), change: Some(change) },
    ] {
        let of = story.says(A, 600, Line::Try(write.clone()));
        story.says(A, 601, Line::Answer { of, answer });
    }
    story.ends(4, State::Open);
    let (defects, counts) = story.defects(&Least::default());
    assert_eq!((defects, counts.writes), (vec![], 4));
}
