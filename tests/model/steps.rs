//! What is done to a circuit, at random.

use std::time::Duration;

use proptest::prelude::*;

use crate::oracle::{OracleOutcome, OracleSettings, OracleState, OracleWindow};

pub(crate) const MS: u64 = 1_000_000;

/// A history: settings, and what is done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) settings: OracleSettings,
    /// A keyed circuit is its own single lane, a named one has several.
    pub(crate) keyed: bool,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Wait(u64),
    Admit,
    /// Ends one of the calls in flight, by an index that wraps around.
    Finish(usize, OracleOutcome, Option<u64>),
    /// Admits a call and ends it at once.
    Call(OracleOutcome),
    /// Many fast calls at once.
    Successes(u64),
    Drop(usize),
    Look,
    Override(OracleState),
    Lift,
    Reset,
    Configure(OracleSettings),
    Granted(bool),
    Grant {
        budget: u32,
        lasting: u64,
    },
    /// Renews a grant.
    Extend(u64),
    Decline,
    Adopt {
        state: OracleState,
        elapsed: u64,
        open_for: u64,
        reopens: u32,
        newer: bool,
    },
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    (window(), any::<bool>()).prop_flat_map(|(window, keyed)| {
        let steps = prop::collection::vec(step(window), 10..80);
        (settings(window), steps).prop_map(move |(settings, steps)| Plan { settings, keyed, steps })
    })
}

fn window() -> impl Strategy<Value = OracleWindow> {
    prop_oneof![
        (1_u32..12).prop_map(OracleWindow::Count),
        (1_u64..6, 1_u64..5).prop_map(|(slices, width)| OracleWindow::Time {
            duration: slices * width * 100 * MS,
            slices,
        }),
    ]
}

/// Settings with the given window. A count window may have another size, a time window not another
/// shape: how calls are carried over then is not for the oracle to say.
fn settings(window: OracleWindow) -> impl Strategy<Value = OracleSettings> {
    let rate = || prop_oneof![Just(0.25), Just(0.3), Just(0.5), Just(0.75), Just(1.0)];
    let window = match window {
        OracleWindow::Count(_) => (1_u32..12).prop_map(OracleWindow::Count).boxed(),
        time => Just(time).boxed(),
    };
    let bounds = (
        prop::option::weighted(0.7, 1_u32..5),
        prop::option::weighted(0.6, rate()),
        prop::option::weighted(0.6, rate()),
        (1_u64..8).prop_map(|tenths| tenths * 100 * MS),
        window,
        1_u32..8,
    );
    let recovery = (
        (1_u64..20).prop_map(|tenths| tenths * 100 * MS),
        prop_oneof![Just(1.0), Just(1.5), Just(2.0)],
        0_u64..3,
        1_u32..6,
        rate(),
        prop::option::weighted(0.8, (1_u64..30).prop_map(|tenths| tenths * 100 * MS)),
    );
    (bounds, recovery).prop_map(move |(bounds, recovery)| {
        let (failures, failure_rate, slow_rate, slow_after, window, minimum) = bounds;
        let (timeout, multiplier, longer, permitted, success_rate, max_wait) = recovery;
        let off = failures.is_none() && failure_rate.is_none() && slow_rate.is_none();
        OracleSettings {
            failure_threshold: if off { Some(2) } else { failures },
            failure_rate_threshold: failure_rate,
            slow_call_rate_threshold: slow_rate,
            slow_call_duration_threshold: slow_after,
            slow_calls_in_flight: true,
            window,
            minimum_number_of_calls: match window {
                OracleWindow::Count(calls) => minimum.min(calls),
                OracleWindow::Time { .. } => minimum,
            },
            recovery_timeout: timeout,
            recovery_timeout_multiplier: multiplier,
            max_recovery_timeout: timeout * (1 + longer),
            max_retry_after: 3_000 * MS,
            permitted_calls_in_half_open: permitted,
            success_rate_threshold: success_rate,
            max_wait_in_half_open: max_wait,
        }
    })
}

fn step(window: OracleWindow) -> impl Strategy<Value = Step> {
    let retry_after = || prop::option::weighted(0.15, (0_u64..50).prop_map(|n| n * 100 * MS));
    prop_oneof![
        12 => wait().prop_map(Step::Wait),
        12 => Just(Step::Admit),
        12 => (any::<usize>(), outcome(), retry_after())
            .prop_map(|(call, outcome, retry_after)| Step::Finish(call, outcome, retry_after)),
        14 => outcome().prop_map(Step::Call),
        3 => (1_u64..30).prop_map(Step::Successes),
        4 => any::<usize>().prop_map(Step::Drop),
        2 => Just(Step::Look),
        1 => prop_oneof![
            Just(OracleState::ForcedOpen),
            Just(OracleState::Disabled),
            Just(OracleState::MetricsOnly)
        ].prop_map(Step::Override),
        2 => Just(Step::Lift),
        1 => Just(Step::Reset),
        1 => settings(window).prop_map(Step::Configure),
        1 => any::<bool>().prop_map(Step::Granted),
        2 => (0_u32..4, 1_u64..20)
            .prop_map(|(budget, tenths)| Step::Grant { budget, lasting: tenths * 100 * MS }),
        1 => (1_u64..20).prop_map(|tenths| Step::Extend(tenths * 100 * MS)),
        1 => Just(Step::Decline),
        1 => adopt(),
    ]
}

/// Often exactly at a border, since every duration is a multiple of 100 ms.
fn wait() -> impl Strategy<Value = u64> {
    prop_oneof![
        5 => (0_u64..8).prop_map(|tenths| tenths * 100 * MS),
        3 => (0_u64..25).prop_map(|tenths| tenths * 100 * MS),
        2 => 0_u64..1_500 * MS,
        1 => Just(60_000 * MS),
    ]
}

fn outcome() -> impl Strategy<Value = OracleOutcome> {
    prop_oneof![
        5 => Just(OracleOutcome::Success),
        5 => Just(OracleOutcome::Failure),
        1 => Just(OracleOutcome::RateOnly),
        1 => Just(OracleOutcome::Ignored),
    ]
}

fn adopt() -> impl Strategy<Value = Step> {
    let state = prop_oneof![
        Just(OracleState::Closed),
        Just(OracleState::Open),
        Just(OracleState::HalfOpen)
    ];
    (state, 0_u64..30, 0_u64..40, 0_u32..3, prop::bool::weighted(0.85)).prop_map(
        |(state, elapsed, open_for, reopens, newer)| Step::Adopt {
            state,
            elapsed: elapsed * 100 * MS,
            open_for: open_for * 100 * MS,
            reopens,
            newer,
        },
    )
}

pub(crate) fn duration(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}
