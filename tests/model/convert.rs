//! The oracle's words in those of the crate.

use tower_breaker::circuit::{Outcome, Settings, SlidingWindow, State};

use crate::{
    oracle::{OracleOutcome, OracleSettings, OracleState, OracleWindow},
    steps::duration,
};

pub(crate) fn state_of(state: OracleState) -> State {
    match state {
        OracleState::Closed => State::Closed,
        OracleState::Open => State::Open,
        OracleState::HalfOpen => State::HalfOpen,
        OracleState::ForcedOpen => State::ForcedOpen,
        OracleState::Disabled => State::Disabled,
        OracleState::MetricsOnly => State::MetricsOnly,
    }
}

pub(crate) fn outcome_of(outcome: OracleOutcome) -> Outcome {
    match outcome {
        OracleOutcome::Success => Outcome::SUCCESS,
        OracleOutcome::Failure => Outcome::FAILURE,
        OracleOutcome::RateOnly => Outcome::RATE_ONLY,
        OracleOutcome::Ignored => Outcome::IGNORED,
    }
}

pub(crate) fn settings_of(settings: &OracleSettings) -> Settings {
    let window = match settings.window {
        OracleWindow::Count(calls) => SlidingWindow::Count { calls },
        OracleWindow::Time { duration: length, slices } => {
            SlidingWindow::Time { duration: duration(length), slices: slices as u32 }
        }
    };
    Settings::builder()
        .failure_threshold(settings.failure_threshold)
        .failure_rate_threshold(settings.failure_rate_threshold)
        .slow_call_rate_threshold(settings.slow_call_rate_threshold)
        .slow_call_duration_threshold(duration(settings.slow_call_duration_threshold))
        .slow_calls_in_flight(settings.slow_calls_in_flight)
        .sliding_window(window)
        .minimum_number_of_calls(settings.minimum_number_of_calls)
        .recovery_timeout(duration(settings.recovery_timeout))
        .recovery_timeout_multiplier(settings.recovery_timeout_multiplier)
        .max_recovery_timeout(duration(settings.max_recovery_timeout))
        .jitter(0.0)
        .max_retry_after(duration(settings.max_retry_after))
        .permitted_calls_in_half_open(settings.permitted_calls_in_half_open)
        .success_rate_threshold(settings.success_rate_threshold)
        .max_wait_in_half_open(settings.max_wait_in_half_open.map(duration))
        .build()
        .unwrap()
}
