//! Settings as text.

use tower_breaker::{Settings, SlidingWindow};

use crate::support::*;

fn from_json(text: &str) -> Result<Settings, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn from_toml(text: &str) -> Result<Settings, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn several() -> Vec<Settings> {
    let everything = Settings::builder()
        .failure_threshold(7)
        .failure_rate_threshold(0.25)
        .slow_call_rate_threshold(1.0)
        .slow_call_duration_threshold(ms(1_500))
        .slow_calls_in_flight(false)
        .sliding_window(SlidingWindow::Time { duration: secs(90), slices: 30 })
        .minimum_number_of_calls(3)
        .recovery_timeout(ms(500))
        .recovery_timeout_multiplier(1.5)
        .max_recovery_timeout(secs(86_400))
        .jitter(0.0)
        .max_retry_after(secs(61))
        .permitted_calls_in_half_open(1)
        .success_rate_threshold(0.3)
        .max_wait_in_half_open(ms(1));
    let off = rate(0.1, SlidingWindow::count(1_000), 1).max_wait_in_half_open(None);
    vec![Settings::default(), everything.build().unwrap(), off.build().unwrap()]
}

#[test]
fn settings_survive_json_and_toml() {
    for settings in several() {
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(from_json(&json).unwrap(), settings, "{json}");
        let toml = toml::to_string(&settings).unwrap();
        assert_eq!(from_toml(&toml).unwrap(), settings, "{toml}");
    }
}

#[test]
fn durations_and_what_is_off_are_written_for_people() {
    let json = serde_json::to_value(&several()[2]).unwrap();
    for (field, text) in [
        ("failure_threshold", "off"),
        ("slow_call_rate_threshold", "off"),
        ("max_wait_in_half_open", "off"),
        ("recovery_timeout", "1m"),
        ("slow_call_duration_threshold", "10s"),
        ("max_recovery_timeout", "5m"),
        ("max_retry_after", "1h"),
    ] {
        assert_eq!(json[field], text, "{field}");
    }
    assert_eq!(json["sliding_window"]["count"]["calls"], 1_000);
    assert_eq!(json["failure_rate_threshold"], 0.1);
}

#[test]
fn an_empty_document_is_the_defaults() {
    assert_eq!(from_json("{}").unwrap(), Settings::default());
    assert_eq!(from_toml("").unwrap(), Settings::default());
}

#[test]
fn unknown_fields_are_refused_and_named() {
    for text in [
        r#"{ "failure_treshold": 3 }"#,
        r#"{ "sliding_window": { "time": { "duration": "10s", "slice": 3 } } }"#,
        r#"{ "sliding_window": { "count": { "calls": 10, "duration": "1s" } } }"#,
        r#"{ "sliding_window": { "times": { "duration": "10s" } } }"#,
    ] {
        let error = from_json(text).unwrap_err();
        assert!(error.contains("unknown"), "{error}");
    }
    assert!(from_json(r#"{ "failure_treshold": 3 }"#).unwrap_err().contains("failure_treshold"));
    assert!(from_toml("failure_treshold = 3").unwrap_err().contains("failure_treshold"));
}

#[test]
fn durations_that_are_none_are_refused_and_shown() {
    for (text, part) in [
        (r#""30 bananas""#, "30 bananas"),
        (r#""""#, "not a duration"),
        (r#""-3s""#, "-3s"),
        ("30", "expected a string"),
        ("null", "expected a string"),
        (r#""99999999999999999999s""#, "99999999999999999999s"),
    ] {
        let error = from_json(&format!(r#"{{ "recovery_timeout": {text} }}"#)).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let error = from_json(r#"{ "max_recovery_timeout": "off" }"#).unwrap_err();
    assert!(error.contains("off"), "{error}");
}

#[test]
fn off_switches_off_and_so_does_null() {
    for word in [r#""off""#, "null"] {
        let text = format!(
            r#"{{ "failure_threshold": {word}, "failure_rate_threshold": 1,
                  "slow_call_rate_threshold": {word}, "max_wait_in_half_open": {word} }}"#
        );
        let settings = from_json(&text).unwrap();
        assert_eq!(settings.failure_threshold(), None);
        assert_eq!(settings.failure_rate_threshold(), Some(1.0));
        assert_eq!(settings.slow_call_rate_threshold(), None);
        assert_eq!(settings.max_wait_in_half_open(), None);
    }
}

#[test]
fn other_words_and_numbers_that_do_not_fit_are_refused() {
    for (text, part) in [
        (r#"{ "failure_threshold": "of" }"#, "`of` is neither a number nor \"off\""),
        (r#"{ "failure_threshold": -1 }"#, "a number or \"off\""),
        (r#"{ "failure_threshold": 1.5 }"#, "a number or \"off\""),
        (r#"{ "failure_threshold": 4294967296 }"#, "a number or \"off\""),
        (r#"{ "failure_rate_threshold": true }"#, "a number or \"off\""),
        (r#"{ "minimum_number_of_calls": -1 }"#, "-1"),
        (r#"{ "slow_calls_in_flight": "yes" }"#, "boolean"),
        (r#"{ "jitter": "much" }"#, "much"),
        (r#"{ "max_wait_in_half_open": "never" }"#, "`never` is not a duration"),
    ] {
        let error = from_json(text).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn what_is_read_is_checked_and_all_of_it_reported() {
    let text = r#"{ "failure_threshold": 0, "jitter": 2, "recovery_timeout": "0s",
                    "sliding_window": { "count": { "calls": 5 } } }"#;
    let error = from_json(text).unwrap_err();
    for part in [
        "failure_threshold is 0 but must be from 1 to 1000000",
        "minimum_number_of_calls is 20 but must be",
        "recovery_timeout is 0s but must be from 1ms to 30days",
        "jitter is 2 but must be from 0 to 1",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

// JSON has no such numbers, TOML does.
#[test]
fn nan_and_infinity_are_refused() {
    for (text, part) in [
        ("jitter = nan", "jitter is NaN"),
        ("failure_rate_threshold = nan", "failure_rate_threshold is NaN"),
        ("success_rate_threshold = inf", "success_rate_threshold is inf"),
        ("recovery_timeout_multiplier = inf", "recovery_timeout_multiplier is inf"),
    ] {
        let error = from_toml(text).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}
