//! Settings out of their bounds.

use std::time::Duration;

use tower_breaker::{Settings, SlidingWindow, circuit::SettingsBuilder};

use crate::support::*;

const DAY: Duration = secs(24 * 60 * 60);
const MONTH: Duration = secs(30 * 24 * 60 * 60);
const SHARE: &str = "more than 0 and at most 1";
const SHORT: &str = "from 1ms to 30days";

type Set<T> = fn(SettingsBuilder, T) -> SettingsBuilder;

/// What each field must refuse: how it is set, its name, its values, the bound.
#[track_caller]
fn refuses<T: Copy>(set: Set<T>, field: &str, values: &[(T, &str)], bound: &str) {
    for &(value, shown) in values {
        let error = set(Settings::builder(), value).build().expect_err(shown);
        let [refused] = error.fields() else { panic!("one field: {error}") };
        assert_eq!((refused.field(), refused.value()), (field, shown));
        assert_eq!(refused.bound(), bound);
        let expected =
            format!("invalid circuit breaker settings: {field} is {shown} but must be {bound}");
        assert_eq!(error.to_string(), expected);
    }
}

#[track_caller]
fn accepts<T: Copy>(set: Set<T>, values: &[T]) {
    for &value in values {
        set(Settings::builder(), value).build().expect("valid");
    }
}

#[test]
fn counts_are_neither_zero_nor_absurd() {
    let failures: Set<u32> = |settings, failures| settings.failure_threshold(failures);
    let bad = [(0, "0"), (1_000_001, "1000001"), (u32::MAX, "4294967295")];
    refuses(failures, "failure_threshold", &bad, "from 1 to 1000000");
    accepts(failures, &[1, 1_000_000]);

    let probes: Set<u32> = |settings, calls| settings.permitted_calls_in_half_open(calls);
    let bad = [(0, "0"), (10_001, "10001")];
    refuses(probes, "permitted_calls_in_half_open", &bad, "from 1 to 10000");
    accepts(probes, &[1, 10_000]);

    let minimum: Set<u32> = |settings, calls| settings.minimum_number_of_calls(calls);
    let bound = "from 1 to sliding_window.count.calls, which could never be reached";
    refuses(minimum, "minimum_number_of_calls", &[(0, "0"), (101, "101")], bound);
    accepts(minimum, &[1, 100]);
}

#[test]
fn shares_are_numbers_above_zero_and_up_to_one() {
    let bad = [
        (0.0, "0"),
        (-0.5, "-0.5"),
        (1.000_001, "1.000001"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
    ];
    let good = [f64::MIN_POSITIVE, 0.5, 1.0];
    let fields: [(Set<f64>, &str); 3] = [
        (|it, share| it.failure_rate_threshold(share), "failure_rate_threshold"),
        (|it, share| it.slow_call_rate_threshold(share), "slow_call_rate_threshold"),
        (|it, share| it.success_rate_threshold(share), "success_rate_threshold"),
    ];
    for (set, field) in fields {
        refuses(set, field, &bad, SHARE);
        accepts(set, &good);
    }
}

#[test]
fn durations_are_neither_zero_nor_absurd() {
    let short = [(Duration::ZERO, "0s"), (ms(1) - NANO, "999us 999ns")];
    let slow: Set<Duration> = |it, duration| it.slow_call_duration_threshold(duration);
    refuses(slow, "slow_call_duration_threshold", &short, "from 1ms to 1day");
    let long = [(DAY + NANO, "1day 1ns")];
    refuses(slow, "slow_call_duration_threshold", &long, "from 1ms to 1day");
    accepts(slow, &[ms(1), DAY]);

    let fields: [(Set<Duration>, &str); 3] = [
        (|it, duration| it.recovery_timeout(duration), "recovery_timeout"),
        (|it, duration| it.max_retry_after(duration), "max_retry_after"),
        (|it, duration| it.max_wait_in_half_open(duration), "max_wait_in_half_open"),
    ];
    for (set, field) in fields {
        refuses(set, field, &short, SHORT);
        refuses(set, field, &[(MONTH + secs(1), "30days 1s")], SHORT);
        accepts(set, &[ms(1), MONTH]);
    }
}

#[test]
fn the_longest_duration_is_refused_and_shown() {
    let error = Settings::builder().recovery_timeout(Duration::MAX).build().unwrap_err();
    assert_eq!(error.fields()[0].field(), "recovery_timeout");
    assert!(error.fields()[0].value().contains("years"), "{error}");
}

#[test]
fn backoff_and_jitter_have_bounds() {
    let multiplier: Set<f64> = |it, multiplier| it.recovery_timeout_multiplier(multiplier);
    let bad = [(0.999, "0.999"), (100.1, "100.1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")];
    refuses(multiplier, "recovery_timeout_multiplier", &bad, "from 1 to 100");
    accepts(multiplier, &[1.0, 100.0]);

    let jitter: Set<f64> = |it, share| it.jitter(share);
    let bad = [(-0.1, "-0.1"), (1.1, "1.1"), (f64::NAN, "NaN")];
    refuses(jitter, "jitter", &bad, "from 0 to 1");
    accepts(jitter, &[0.0, 1.0]);

    let longest: Set<Duration> = |it, duration| it.max_recovery_timeout(duration);
    let bad = [(secs(60) - ms(1), "59s 999ms"), (MONTH + secs(1), "30days 1s")];
    refuses(longest, "max_recovery_timeout", &bad, "from recovery_timeout to 30days");
    accepts(longest, &[secs(60), MONTH]);
}

#[test]
fn windows_are_neither_empty_nor_absurd() {
    let calls: Set<u32> =
        |it, calls| it.sliding_window(SlidingWindow::count(calls)).minimum_number_of_calls(1);
    let bad = [(1_000_001, "1000001")];
    refuses(calls, "sliding_window.count.calls", &bad, "from 1 to 1000000");
    accepts(calls, &[1, 1_000_000]);

    let duration: Set<Duration> =
        |it, duration| it.sliding_window(SlidingWindow::Time { duration, slices: 1 });
    let bad = [(DAY + secs(1), "1day 1s")];
    refuses(duration, "sliding_window.time.duration", &bad, "from 1ms to 1day");
    accepts(duration, &[ms(1), DAY]);

    let slices: Set<u32> =
        |it, slices| it.sliding_window(SlidingWindow::Time { duration: ms(500), slices });
    let bad = [(0, "0"), (501, "501"), (1_001, "1001"), (u32::MAX, "4294967295")];
    let bound = "from 1 to 1000, and no slice shorter than 1ms";
    refuses(slices, "sliding_window.time.slices", &bad, bound);
    accepts(slices, &[1, 500]);
    let slices: Set<u32> =
        |it, slices| it.sliding_window(SlidingWindow::Time { duration: DAY, slices });
    refuses(slices, "sliding_window.time.slices", &[(1_001, "1001")], bound);
    accepts(slices, &[1_000]);

    let minimum: Set<u32> =
        |it, calls| it.sliding_window(SlidingWindow::time(secs(1))).minimum_number_of_calls(calls);
    refuses(minimum, "minimum_number_of_calls", &[(0, "0")], "at least 1");
}

#[test]
fn an_empty_window_is_refused_for_itself_and_for_the_minimum_it_cannot_hold() {
    let error = Settings::builder().sliding_window(SlidingWindow::count(0)).build().unwrap_err();
    let fields: Vec<_> = error.fields().iter().map(|it| it.field()).collect();
    assert_eq!(fields, ["sliding_window.count.calls", "minimum_number_of_calls"]);
}

#[test]
fn settings_that_could_never_open_are_refused() {
    let error = Settings::builder().failure_threshold(None).build().unwrap_err();
    let [refused] = error.fields() else { panic!("{error}") };
    assert_eq!((refused.field(), refused.value()), ("failure_threshold", "off"));
    assert!(refused.bound().contains("nothing could ever open"), "{error}");
    for rate in [true, false] {
        let one = Settings::builder().failure_threshold(None);
        let one = match rate {
            true => one.failure_rate_threshold(0.5),
            false => one.slow_call_rate_threshold(0.5),
        };
        one.build().unwrap();
    }
}

#[test]
fn all_bad_fields_are_reported_at_once_in_their_order() {
    let error = Settings::builder()
        .max_wait_in_half_open(secs(0))
        .success_rate_threshold(0.0)
        .permitted_calls_in_half_open(0)
        .max_retry_after(secs(0))
        .jitter(7.0)
        .max_recovery_timeout(Duration::MAX)
        .recovery_timeout_multiplier(0.0)
        .recovery_timeout(secs(0))
        .minimum_number_of_calls(0)
        .sliding_window(SlidingWindow::Time { duration: secs(0), slices: 0 })
        .slow_call_duration_threshold(secs(0))
        .slow_call_rate_threshold(2.0)
        .failure_rate_threshold(f64::NAN)
        .failure_threshold(0)
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.fields().iter().map(|it| it.field()).collect();
    assert_eq!(
        fields,
        [
            "failure_threshold",
            "failure_rate_threshold",
            "slow_call_rate_threshold",
            "slow_call_duration_threshold",
            "sliding_window.time.duration",
            "sliding_window.time.slices",
            "minimum_number_of_calls",
            "recovery_timeout",
            "recovery_timeout_multiplier",
            "max_recovery_timeout",
            "jitter",
            "max_retry_after",
            "permitted_calls_in_half_open",
            "success_rate_threshold",
            "max_wait_in_half_open",
        ]
    );
    for field in error.fields() {
        assert!(error.to_string().contains(&field.to_string()), "{field}");
    }
}

#[test]
fn settings_can_be_changed_one_by_one() {
    let changed = Settings::builder().failure_threshold(7).jitter(0.3);
    let settings = changed.build().unwrap().to_builder().jitter(0.0).build().unwrap();
    assert_eq!((settings.failure_threshold(), settings.jitter()), (Some(7), 0.0));
    // The longest backoff goes on following until it is set.
    let settings = settings.to_builder().recovery_timeout(secs(600)).build().unwrap();
    assert_eq!(settings.max_recovery_timeout(), secs(600));
    let set = settings.to_builder().max_recovery_timeout(secs(700)).build().unwrap();
    let settings = set.to_builder().recovery_timeout(secs(60)).build().unwrap();
    assert_eq!(settings.max_recovery_timeout(), secs(700));
}

#[test]
fn the_longest_backoff_follows_a_longer_recovery_timeout_unless_it_was_set() {
    let settings = Settings::builder().recovery_timeout(secs(600)).build().unwrap();
    assert_eq!(settings.max_recovery_timeout(), secs(600));
    assert_eq!(Settings::default().max_recovery_timeout(), secs(300));
}
