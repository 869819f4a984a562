//! The results of a `reqwest::Client`.

use std::{any::Any, error::Error};

use super::{
    Classify,
    http::{
        ServerErrorsAsFailures,
        server_errors::{describe, of_response, of_status},
    },
};
use crate::{breaker::Cause, circuit::Outcome, error::BoxError};

/// Statuses are classified as those of `http::Response`. An error that carries a status, from
/// `error_for_status`, is classified by it; builder and redirect errors are the caller's own and
/// are ignored. Other errors are failures, of any type, so that a `Timeout` inside may box them.
impl<Err: 'static> Classify<reqwest::Response, Err> for ServerErrorsAsFailures {
    fn classify(&self, result: Result<&reqwest::Response, &Err>) -> Outcome {
        match result {
            Ok(response) => {
                of_response(response.status(), response.headers(), response.extensions())
            }
            Err(error) => of_error(error),
        }
    }

    fn describe(&self, result: Result<&reqwest::Response, &Err>) -> Option<Cause> {
        Some(describe(result.map(reqwest::Response::status)))
    }
}

/// The error of reqwest that an error of any type is, or holds in a box.
pub(super) fn find<Err: 'static>(error: &Err) -> Option<&reqwest::Error> {
    let error: &dyn Any = error;
    match error.downcast_ref::<BoxError>() {
        Some(boxed) => boxed.downcast_ref(),
        None => error.downcast_ref::<reqwest::Error>(),
    }
}

/// The kind of an error, and a text with nothing of its URL but scheme, host and port: users,
/// passwords and tokens are in all other parts.
pub(super) fn cause_of(error: &reqwest::Error) -> Cause {
    if let Some(status) = error.status() {
        return describe::<reqwest::Error>(Ok(status));
    }
    let kind = if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else if error.is_body() {
        "body"
    } else if error.is_decode() {
        "decode"
    } else if error.is_request() {
        "request"
    } else {
        "reqwest"
    };
    let origin = error.url().map(|url| url.origin().ascii_serialization());
    // The text of the error itself has all of the URL. The kind says the rest.
    let behind = error.source().map(Cause::of);
    let behind = behind.as_ref().and_then(Cause::message);
    let texts = [origin.as_deref(), behind];
    let text = texts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    let cause = Cause::new(kind);
    if text.is_empty() { cause } else { cause.with_message(text) }
}

/// What an error of any type means, which may be one of reqwest.
pub(super) fn of_error<Err: 'static>(error: &Err) -> Outcome {
    match find(error) {
        Some(error) if error.is_builder() || error.is_redirect() => Outcome::IGNORED,
        Some(error) => error.status().map_or(Outcome::FAILURE, of_status),
        None => Outcome::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify<Err: 'static>(error: &Err) -> Outcome {
        let result: Result<&reqwest::Response, &Err> = Err(error);
        ServerErrorsAsFailures.classify(result)
    }

    fn response(status: u16) -> reqwest::Response {
        http::Response::builder().status(status).header("retry-after", "3").body("").unwrap().into()
    }

    fn classify_response(status: u16) -> Outcome {
        let response = response(status);
        Classify::<_, reqwest::Error>::classify(&ServerErrorsAsFailures, Ok(&response))
    }

    #[test]
    fn a_request_that_cannot_be_built_is_the_callers_own() {
        let error = reqwest::Client::new().get("not a url").build().unwrap_err();
        assert!(error.is_builder());
        assert_eq!(classify(&error), Outcome::IGNORED);
        let boxed: BoxError = error.into();
        assert_eq!(classify(&boxed), Outcome::IGNORED);
    }

    #[test]
    fn an_error_that_carries_a_status_is_classified_by_it() {
        for (status, expected) in
            [(404, Outcome::SUCCESS), (429, Outcome::RATE_ONLY), (502, Outcome::FAILURE)]
        {
            let error = response(status).error_for_status().unwrap_err();
            assert_eq!(classify(&error), expected, "{status}");
        }
    }

    #[test]
    fn other_errors_are_failures() {
        assert_eq!(classify(&BoxError::from("elapsed")), Outcome::FAILURE);
        assert_eq!(classify(&std::io::Error::other("reset")), Outcome::FAILURE);
    }

    #[test]
    fn statuses_are_classified_as_those_of_http() {
        assert_eq!(classify_response(200), Outcome::SUCCESS);
        assert_eq!(classify_response(404), Outcome::SUCCESS);
        let wait = std::time::Duration::from_secs(3);
        assert_eq!(classify_response(429), Outcome::RATE_ONLY.with_retry_after(wait));
        assert_eq!(classify_response(503), Outcome::FAILURE.with_retry_after(wait));
    }
}
