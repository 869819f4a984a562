//! The targets.

use super::{Goal, Part, Target};
use crate::baseline::{BARE, LIMIT};
use crate::ours::{
    ALL, BOX_ERROR, CONSECUTIVE, FULL_TIME, KEYED, RATE_COUNT, REJECT_WITH, TRY_ACQUIRE,
};
use crate::peers::failsafe;
use crate::scenario::keys::{HOT, RANDOM};
use crate::scenario::open::{FAILSAFE_DIRECT, OPEN};
use crate::scenario::standard::{
    CLONED, CLOSED, NO_FAILURES, ONE_PERCENT, PENDS_ONCE, TOKIO, TWO_CLONING, TWO_THREADS,
};
use crate::scenario::windows::{SIZES, count, count_failing, time};
use crate::scenario::{CLOCK, INSTANT_NOW};

/// Every target.
#[must_use]
pub fn list() -> Vec<Target> {
    let mut list = vec![
        takes(
            "closed, consecutive <= limit + 10 ns",
            (CLOSED, CONSECUTIVE),
            [row(CLOSED, LIMIT), Part::Nanoseconds(10.0)],
        ),
        Target {
            name: "closed, consecutive < every peer".to_owned(),
            goal: Goal::Fastest { row: (CLOSED.to_owned(), CONSECUTIVE) },
        },
        takes(
            "closed, full over a time window <= Instant::now",
            (CLOSED, FULL_TIME),
            [row(CLOCK, INSTANT_NOW)],
        ),
    ];
    list.extend(ALL.map(|subject| {
        let name = format!("1 % failures <= without + 3 ns: {subject}");
        takes(name, (ONE_PERCENT, subject), [row(NO_FAILURES, subject), Part::Nanoseconds(3.0)])
    }));
    list.extend([
        takes(
            "two threads, full <= 1.3 x one thread",
            (TWO_THREADS, FULL_TIME),
            [times(1.3, CLOSED, FULL_TIME)],
        ),
        takes(
            "two threads, clone for each call, full <= 65 ns",
            (TWO_CLONING, FULL_TIME),
            [Part::Nanoseconds(65.0)],
        ),
        takes(
            "rejection, try_acquire <= failsafe's is_call_permitted",
            (OPEN, TRY_ACQUIRE),
            [row(OPEN, FAILSAFE_DIRECT)],
        ),
        takes(
            "rejection, reject_with <= failsafe's call",
            (OPEN, REJECT_WITH),
            [row(OPEN, failsafe::CONSECUTIVE.name)],
        ),
        takes(
            "rejection, BoxError <= reject_with + 16 ns",
            (OPEN, BOX_ERROR),
            [row(OPEN, REJECT_WITH), Part::Nanoseconds(16.0)],
        ),
        takes(
            "pends once, full <= bare + 45 ns",
            (PENDS_ONCE, FULL_TIME),
            [row(PENDS_ONCE, BARE), Part::Nanoseconds(45.0)],
        ),
    ]);
    list.extend(flat());
    list.extend([
        takes("100,000 keys, 64 hot <= 65 ns", (HOT, KEYED), [Part::Nanoseconds(65.0)]),
        takes("100,000 keys, random <= 1,000 ns", (RANDOM, KEYED), [Part::Nanoseconds(1_000.0)]),
        Target {
            name: "100,000 keys <= 550 bytes a key".to_owned(),
            goal: Goal::BytesAKey { subject: KEYED, at_most: 550.0 },
        },
    ]);
    list.extend(allocations());
    list
}

/// The cost against the size of the window: 10,000 within 1.15 times 100.
fn flat() -> [Target; 3] {
    let [small, _, large] = SIZES;
    let flat = |what: &str, scenario: fn(u32) -> String, subject| {
        let name = format!("{what} of {large} <= 1.15 x of {small}");
        let row = (scenario(large), subject);
        let bound = vec![Part::Times(1.15, (scenario(small), subject))];
        Target { name, goal: Goal::Time { row, bound } }
    };
    [
        flat("count window", count, RATE_COUNT),
        flat("count window with 1 % failures", count_failing, RATE_COUNT),
        flat("time window, calls held", time, FULL_TIME),
    ]
}

/// What is admitted allocates nothing; of rejections only a boxed error does, once.
fn allocations() -> [Target; 3] {
    let closed =
        [CLOSED, NO_FAILURES, ONE_PERCENT, PENDS_ONCE, CLONED, TWO_THREADS, TWO_CLONING, TOKIO];
    let closed = closed.iter().flat_map(|&scenario| ALL.map(|subject| (scenario, subject)));
    let admitted = closed.chain([(HOT, KEYED), (RANDOM, KEYED)]).collect();
    let target = |name: &str, rows: Vec<(&str, &'static str)>, at_most| {
        let own = |(scenario, subject): (&str, _)| (scenario.to_owned(), subject);
        let rows = rows.into_iter().map(own).collect();
        Target { name: name.to_owned(), goal: Goal::Allocations { rows, at_most } }
    };
    [
        target("admitted, all rows: 0 allocations", admitted, 0.0),
        target(
            "rejection, try_acquire and reject_with: 0 allocations",
            vec![(OPEN, TRY_ACQUIRE), (OPEN, REJECT_WITH)],
            0.0,
        ),
        target("rejection, BoxError: 1 allocation", vec![(OPEN, BOX_ERROR)], 1.0),
    ]
}

fn takes<const N: usize>(
    name: impl Into<String>,
    (scenario, subject): (&str, &'static str),
    bound: [Part; N],
) -> Target {
    let row = (scenario.to_owned(), subject);
    Target { name: name.into(), goal: Goal::Time { row, bound: bound.into() } }
}

fn row(scenario: &str, subject: &'static str) -> Part {
    times(1.0, scenario, subject)
}

fn times(factor: f64, scenario: &str, subject: &'static str) -> Part {
    Part::Times(factor, (scenario.to_owned(), subject))
}
