//! Many successes in one step are as many single steps.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use tower_breaker::circuit::{Admission, Circuit, Moment, Outcome, Transition, Transitions};

use crate::{
    convert::settings_of,
    steps::{Plan, Step, plan},
};

/// Asks and, if admitted, succeeds at once.
fn single(circuit: &mut Circuit, now: Moment, happened: &mut Vec<Transition>) -> u64 {
    let mut out = Transitions::new();
    let admission = circuit.admit(now, &mut out);
    if let Admission::Admitted { generation } = admission {
        circuit.record(generation, Outcome::SUCCESS, Duration::ZERO, now, &mut out);
    }
    happened.extend(out.drain());
    u64::from(matches!(admission, Admission::Admitted { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::cases() / 10,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn advance_equals_single_steps(plan in plan(), runs in prop::collection::vec(0_u64..300, 80)) {
        let Plan { settings, steps, .. } = plan;
        let settings = Arc::new(settings_of(&settings));
        let mut at_once = Circuit::new(Arc::clone(&settings), 3);
        let mut one_by_one = Circuit::new(settings, 3);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let mut now = Moment::from_nanos(1_000_000_000_000);

        for (step, successes) in steps.iter().zip(runs) {
            match step {
                Step::Wait(nanos) => now = now + Duration::from_nanos(*nanos),
                Step::Call(_) | Step::Finish(..) => {
                    for (circuit, happened) in
                        [(&mut at_once, &mut left), (&mut one_by_one, &mut right)]
                    {
                        let mut out = Transitions::new();
                        if let Admission::Admitted { generation } = circuit.admit(now, &mut out) {
                            let slow = Duration::from_secs(1);
                            circuit.record(generation, Outcome::FAILURE, slow, now, &mut out);
                        }
                        happened.extend(out.drain());
                    }
                }
                _ => {}
            }
            let mut out = Transitions::new();
            let admitted = at_once.advance(successes, now, &mut out);
            left.extend(out.drain());
            let singly: u64 =
                (0..successes).map(|_| single(&mut one_by_one, now, &mut right)).sum();
            prop_assert_eq!(admitted, singly);
            prop_assert_eq!(at_once.counts_at(now), one_by_one.counts_at(now));
            prop_assert_eq!(at_once.consecutive_failures(), one_by_one.consecutive_failures());
            prop_assert_eq!(at_once.state(), one_by_one.state());
        }
        prop_assert_eq!(left, right);
    }
}
