//! Statuses of the 5xx class are failures.

use std::convert::Infallible;

use http::{Extensions, HeaderMap, StatusCode};

use super::{ClassifiedResponse, ClassifyStream, retry_after::retry_after};
use crate::{
    breaker::{Cause, Rejected},
    circuit::Outcome,
    classify::{Classify, cause_of},
};

/// Server errors (5xx) and errors of the inner service are failures.
///
/// A 429 is [`RATE_ONLY`](Outcome::RATE_ONLY): the server is well, and has had enough of us. Its
/// `Retry-After`, and that of a failure, becomes the open time if the circuit opens meanwhile. All
/// other statuses are successes. A response that a breaker further in answered a rejection with,
/// which carries the [`Rejected`] in its extensions, is ignored.
///
/// A failure is described as `http_status` with the code, or by its error.
///
/// With the feature `reqwest` it also classifies the results of a `reqwest::Client`, whose builder
/// and redirect errors are the caller's own and are ignored.
///
/// See the [module docs](crate::http).
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerErrorsAsFailures;

impl<B, Err: 'static> Classify<http::Response<B>, Err> for ServerErrorsAsFailures {
    fn classify(&self, result: Result<&http::Response<B>, &Err>) -> Outcome {
        match result {
            Ok(response) => {
                of_response(response.status(), response.headers(), response.extensions())
            }
            Err(error) => of_error(error),
        }
    }

    fn describe(&self, result: Result<&http::Response<B>, &Err>) -> Option<Cause> {
        Some(describe(result.map(http::Response::status)))
    }
}

impl<B, Err: 'static> ClassifyStream<B, Err> for ServerErrorsAsFailures {
    type ClassifyEos = Infallible;

    fn classify_response(&self, response: &http::Response<B>) -> ClassifiedResponse<Infallible> {
        let outcome = of_response(response.status(), response.headers(), response.extensions());
        ClassifiedResponse::Ready(outcome)
    }

    fn classify_error(&self, error: &Err) -> Outcome {
        of_error(error)
    }

    fn describe(&self, result: Result<&http::Response<B>, &Err>) -> Option<Cause> {
        Some(describe(result.map(http::Response::status)))
    }
}

/// `http_status` and the code, or what is known of an error.
pub(in crate::classify) fn describe<Err: 'static>(result: Result<StatusCode, &Err>) -> Cause {
    match result {
        Ok(status) => Cause::new("http_status").with_message(status.as_str().to_owned()),
        Err(error) => cause_of(error),
    }
}

pub(in crate::classify) fn of_response(
    status: StatusCode,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Outcome {
    if extensions.get::<Rejected>().is_some() {
        return Outcome::IGNORED;
    }
    let outcome = of_status(status);
    match outcome.is_failed().then(|| retry_after(headers)).flatten() {
        Some(retry_after) => outcome.with_retry_after(retry_after),
        None => outcome,
    }
}

pub(in crate::classify) fn of_status(status: StatusCode) -> Outcome {
    if status == StatusCode::TOO_MANY_REQUESTS {
        Outcome::RATE_ONLY
    } else {
        Outcome::failure_if(status.is_server_error())
    }
}

#[cfg(feature = "reqwest")]
use crate::classify::reqwest::of_error;

#[cfg(not(feature = "reqwest"))]
fn of_error<Err>(_: &Err) -> Outcome {
    Outcome::FAILURE
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use super::*;
    use crate::{breaker::Breaker, circuit::OutcomeKind};

    fn classify(response: &http::Response<()>) -> Outcome {
        Classify::<_, io::Error>::classify(&ServerErrorsAsFailures, Ok(response))
    }

    fn response(status: u16, retry_after: &str) -> http::Response<()> {
        let response = http::Response::builder().status(status);
        response.header("retry-after", retry_after).body(()).unwrap()
    }

    #[test]
    fn the_class_of_the_status_decides() {
        use OutcomeKind::{Failure, RateOnly, Success};
        let cases = [
            (101, Success),
            (200, Success),
            (304, Success),
            (400, Success),
            (404, Success),
            (429, RateOnly),
            (499, Success),
            (500, Failure),
            (501, Failure),
            (503, Failure),
            (599, Failure),
            (600, Success),
        ];
        for (status, expected) in cases {
            assert_eq!(classify(&response(status, "")).kind(), expected, "{status}");
        }
    }

    #[test]
    fn retry_after_is_obeyed_where_the_call_failed() {
        for (status, expected) in [(200, None), (302, None), (429, Some(9)), (503, Some(9))] {
            let found = classify(&response(status, "9")).retry_after();
            assert_eq!(found, expected.map(Duration::from_secs), "{status}");
        }
        assert_eq!(classify(&response(500, "garbage")), Outcome::FAILURE);
    }

    #[test]
    fn errors_of_any_type_are_failures() {
        let error: Result<&http::Response<()>, _> = Err(&"plain");
        assert_eq!(ServerErrorsAsFailures.classify(error), Outcome::FAILURE);
        let error: Result<&http::Response<()>, _> = Err(&io::ErrorKind::TimedOut);
        assert_eq!(ServerErrorsAsFailures.classify(error), Outcome::FAILURE);
    }

    #[test]
    fn the_answer_of_a_breaker_further_in_is_ignored() {
        let breaker = Breaker::builder("inner").build().unwrap();
        breaker.force_open();
        let mut response = response(503, "9");
        response.extensions_mut().insert(breaker.try_acquire().unwrap_err());
        assert_eq!(classify(&response), Outcome::IGNORED);
    }
}
