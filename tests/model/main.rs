//! The circuit, pure and live, against a naive oracle written from the documentation.
//!
//! Random calls, results, cancellations, waits, overrides, grants, adoptions and changes of settings
//! are done to all three side by side, and after every step they have to agree.

#![cfg(feature = "test-util")]

mod advance;
mod both;
mod convert;
mod oracle;
mod steps;
mod world;

use std::cell::Cell;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::{
    steps::{Plan, plan},
    world::World,
};

/// How many histories; `PROPTEST_CASES` sets another number.
const CASES: u32 = 50_000;

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES)
}

/// How many histories reached what.
#[derive(Debug, Default)]
struct Reached {
    cases: Cell<u32>,
    open: Cell<u32>,
    half_open: Cell<u32>,
    closed_again: Cell<u32>,
    late: Cell<u32>,
    slow_in_flight: Cell<u32>,
}

impl Reached {
    fn note(&self, world: &World) {
        let seen = world.seen();
        for (counter, reached) in [
            (&self.cases, true),
            (&self.open, seen.open),
            (&self.half_open, seen.half_open),
            (&self.closed_again, seen.closed_again),
            (&self.late, seen.late),
            (&self.slow_in_flight, seen.slow_in_flight),
        ] {
            counter.set(counter.get() + u32::from(reached));
        }
    }

    fn share(&self, reached: &Cell<u32>) -> f64 {
        f64::from(reached.get()) / f64::from(self.cases.get())
    }
}

#[test]
fn pure_and_live_circuit_do_what_the_oracle_does() {
    let reached = Reached::default();
    let mut config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    // A history is long: making it as short as can be would take minutes.
    config.max_shrink_iters = config.max_shrink_iters.min(2_000);
    TestRunner::new(config)
        .run(&plan(), |plan: Plan| {
            let mut world = World::new(&plan);
            for (index, step) in plan.steps.iter().enumerate() {
                world
                    .step(step)
                    .map_err(|differs| TestCaseError::fail(format!("step {index}: {differs}")))?;
            }
            reached.note(&world);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));

    let share = |counter| 100.0 * reached.share(counter);
    println!(
        "{} histories: {:.1} % reached open, {:.1} % half-open, {:.1} % closed again, {:.1} % saw \
         late results, {:.1} % slow calls in flight",
        reached.cases.get(),
        share(&reached.open),
        share(&reached.half_open),
        share(&reached.closed_again),
        share(&reached.late),
        share(&reached.slow_in_flight),
    );
    assert!(share(&reached.half_open) > 20.0, "too few histories reach half-open");
    assert!(share(&reached.closed_again) > 5.0, "too few histories close again");
    assert!(share(&reached.late) > 5.0, "too few histories see late results");
    assert!(share(&reached.slow_in_flight) > 1.0, "too few histories see slow calls in flight");
}
