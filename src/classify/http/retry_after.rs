//! The time a server asks to be left alone.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap,
    header::{DATE, HeaderName, RETRY_AFTER},
};

use crate::breaker::clock;

/// The `Retry-After` of a response: seconds, or a date compared with the response's own `Date`.
///
/// The server's clock may differ from ours by more than it asks for, so ours is asked only where
/// the response has no date. What is neither seconds nor a date is ignored.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get_all(RETRY_AFTER).iter().find_map(|value| {
        let value = value.to_str().ok()?.trim();
        seconds(value).or_else(|| {
            let until = httpdate::parse_http_date(value).ok()?;
            let now = date(headers, DATE).unwrap_or_else(clock::wall);
            // A date that is over asks for nothing.
            until.duration_since(now).ok()
        })
    })
}

/// Digits only. A number that no integer holds is as good as "for ever": the settings bound it.
fn seconds(value: &str) -> Option<Duration> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)))
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(list: &[(HeaderName, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap()))
            .collect()
    }

    #[test]
    fn seconds_are_digits_only() {
        let cases = [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("007", Some(7)),
            ("99999999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("1s", None),
            ("soon", None),
            ("\u{661}", None),
        ];
        for (text, expected) in cases {
            let found = retry_after(&headers(&[(RETRY_AFTER, text)]));
            assert_eq!(found, expected.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn a_date_counts_from_the_date_of_the_response() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let cases = [
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            // The two older forms that have to be read.
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:49:38 1994", Some(1)),
            (date, Some(0)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", None),
            ("Sun, 06 Nov 1994 25:49:36 GMT", None),
        ];
        for (text, expected) in cases {
            let found = retry_after(&headers(&[(DATE, date), (RETRY_AFTER, text)]));
            assert_eq!(found, expected.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn a_date_counts_from_the_wall_clock_where_the_response_has_none() {
        let until = httpdate::fmt_http_date(clock::wall() + Duration::from_secs(3600));
        for date in [None, Some((DATE, "yesterday"))] {
            let list: Vec<_> = date.into_iter().chain([(RETRY_AFTER, until.as_str())]).collect();
            let found = retry_after(&headers(&list)).unwrap();
            assert!((3590..=3600).contains(&found.as_secs()), "{found:?}");
        }
    }

    #[test]
    fn the_first_value_that_can_be_read_is_taken() {
        let list = [(RETRY_AFTER, "soon"), (RETRY_AFTER, "5"), (RETRY_AFTER, "9")];
        assert_eq!(retry_after(&headers(&list)), Some(Duration::from_secs(5)));
    }
}
