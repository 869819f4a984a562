//! Rejections as responses of gRPC.

use std::{
    fmt::Write,
    future::{Ready, ready},
};

use http::{HeaderName, HeaderValue, Response, header::CONTENT_TYPE};

use super::Code;
use crate::{
    breaker::Rejected,
    classify::grpc::{GRPC_RETRY_PUSHBACK, GRPC_STATUS},
    service::{ErrorOf, OnReject},
};

const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Answers rejections with the status `UNAVAILABLE`, for
/// [`CircuitBreakerLayer::on_reject`](crate::CircuitBreakerLayer::on_reject).
///
/// The response is nothing but trailers: HTTP 200, an empty body, and the status in the headers,
/// with `grpc-retry-pushback-ms` where a clock can tell when to ask again. The [`Rejected`] is in
/// the extensions: a breaker further out ignores such a response. The error stays that of the inner
/// service.
///
/// ```
/// use tower_breaker::{Breaker, CircuitBreakerLayer, grpc, http::AtEndOfStream};
///
/// let breaker = Breaker::builder("payments").build()?;
/// let layer = CircuitBreakerLayer::new(breaker)
///     .settle(AtEndOfStream::new(grpc::GrpcErrorsAsFailures::new()))
///     .on_reject(grpc::unavailable());
/// # let _ = layer;
/// # Ok::<(), tower_breaker::error::InvalidName>(())
/// ```
pub const fn unavailable() -> Unavailable {
    Unavailable(())
}

/// Answers rejections with the status `UNAVAILABLE`: see [`unavailable`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Unavailable(());

impl<Err> ErrorOf<Err> for Unavailable {
    type Error = Err;

    #[inline]
    fn error(error: Err) -> Err {
        error
    }
}

impl<Req, B: Default, Err> OnReject<Req, Response<B>, Err> for Unavailable {
    type Future = Ready<Result<Response<B>, Err>>;

    fn reject(&self, _: Req, rejected: Rejected) -> Self::Future {
        let mut response = Response::new(B::default());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(Code::Unavailable.as_u8())));
        if let Ok(message) = HeaderValue::try_from(percent_encoded(&rejected.to_string())) {
            headers.insert(GRPC_MESSAGE, message);
        }
        if let Some(wait) = rejected.retry_after {
            let millis = wait.as_nanos().div_ceil(1_000_000);
            // The protocol has a number of 32 bits there, with a sign.
            let millis = i32::try_from(millis).unwrap_or(i32::MAX);
            headers.insert(GRPC_RETRY_PUSHBACK, HeaderValue::from(millis));
        }
        response.extensions_mut().insert(rejected);
        ready(Ok(response))
    }
}

/// What the protocol has for `grpc-message`: printable ASCII stays, but for `%`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            // A string takes whatever is written to it.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::breaker::Breaker;

    fn answer(service: &str, retry_after: Option<Duration>) -> Response<()> {
        let breaker = Breaker::builder(service).build().unwrap();
        breaker.force_open();
        let mut rejected = breaker.try_acquire().unwrap_err();
        rejected.retry_after = retry_after;
        let answer: Result<_, ()> = unavailable().reject((), rejected).into_inner();
        answer.unwrap()
    }

    #[test]
    fn the_answer_is_nothing_but_trailers() {
        let answer = answer("payments", None);
        assert_eq!(answer.status(), 200);
        let headers = answer.headers();
        assert_eq!(headers[CONTENT_TYPE], "application/grpc");
        assert_eq!(headers[GRPC_STATUS], "14");
        let message = "call to `payments` rejected: the circuit was forced open";
        assert_eq!(headers[GRPC_MESSAGE], message);
        assert!(!headers.contains_key(GRPC_RETRY_PUSHBACK));
        assert!(answer.extensions().get::<Rejected>().is_some());
    }

    #[test]
    fn pushback_is_in_milliseconds_rounded_up() {
        let cases = [
            (Duration::ZERO, "0"),
            (Duration::from_nanos(1), "1"),
            (Duration::from_micros(2001), "3"),
            (Duration::from_secs(60), "60000"),
            (Duration::MAX, "2147483647"),
        ];
        for (wait, expected) in cases {
            let answer = answer("payments", Some(wait));
            assert_eq!(answer.headers()[GRPC_RETRY_PUSHBACK], expected, "{wait:?}");
        }
    }

    #[test]
    fn the_message_is_percent_encoded() {
        assert_eq!(percent_encoded("100 % sure~"), "100 %25 sure~");
        assert_eq!(percent_encoded("a\nb\u{7f}"), "a%0Ab%7F");
        assert_eq!(percent_encoded("\u{fc}ber"), "%C3%BCber");
        let answer = answer("caf\u{e9} 5%", None);
        let message = answer.headers()[GRPC_MESSAGE].to_str().unwrap();
        assert!(message.starts_with("call to `caf%C3%A9 5%25` rejected"), "{message}");
    }
}
