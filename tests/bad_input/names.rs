//! Names of services and keys.

use tower_breaker::{
    Breaker, BreakerMap,
    breaker::{InvalidName, ServiceName},
};

#[test]
fn a_breaker_is_not_built_with_a_name_that_is_none() {
    let error = |name: &str| Breaker::builder(name).build().unwrap_err();
    assert_eq!(error(""), InvalidName::Empty);
    assert_eq!(error("").to_string(), "invalid service name: it is empty");
    assert_eq!(
        error(&"x".repeat(257)).to_string(),
        "invalid service name: it has 257 bytes, more than 256"
    );
    assert_eq!(
        error("a\tb").to_string(),
        "invalid service name: it has the control character '\\t' at byte 1"
    );
    for control in ['\0', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}'] {
        assert!(matches!(error(&format!("a{control}")), InvalidName::Control { at: 1, .. }));
    }
}

#[test]
fn names_at_the_bounds_are_names() {
    for name in ["x".to_owned(), "x".repeat(256), "ü".repeat(128), "zahlung 💶 (eu)".to_owned()]
    {
        let breaker = Breaker::builder(&name).build().unwrap();
        assert_eq!(breaker.service().as_str(), name);
    }
    // Bytes, not characters.
    assert_eq!(ServiceName::new("ü".repeat(129)), Err(InvalidName::TooLong { len: 258 }));
}

#[test]
fn a_key_that_is_no_name_gets_the_overflow_circuit() {
    let map = BreakerMap::builder().build().unwrap();
    for (count, key) in (1..).zip(["", "a\0b", &"k".repeat(257), &"k".repeat(1 << 20)]) {
        assert_eq!(map.breaker(key).service().as_str(), BreakerMap::OVERFLOW);
        assert_eq!(map.overflowed(), count);
        assert!(map.get(key).is_none());
    }
    assert!(map.is_empty());
}

#[test]
fn names_are_checked_when_they_are_read() {
    let name: ServiceName = serde_json::from_str(r#""payments""#).unwrap();
    assert_eq!(serde_json::to_string(&name).unwrap(), r#""payments""#);
    for text in [r#""""#, r#""a\nb""#, r#""a\u0000""#] {
        let error = serde_json::from_str::<ServiceName>(text).unwrap_err().to_string();
        assert!(error.contains("invalid service name"), "{error}");
    }
}
