//! Which status codes of gRPC are failures.

use std::{fmt, time::Duration};

use http::{Extensions, HeaderMap, HeaderName, Response, StatusCode};

use super::Code;
use crate::{
    breaker::{Cause, Rejected},
    circuit::{Outcome, OutcomeKind},
    classify::{
        Classify, cause_of,
        http::{ClassifiedResponse, ClassifyEos, ClassifyStream, retry_after::retry_after},
    },
};

pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(crate) const GRPC_RETRY_PUSHBACK: HeaderName =
    HeaderName::from_static("grpc-retry-pushback-ms");

/// Status codes that tell of a service in trouble are failures, and so are errors of the inner
/// service, and responses that end without a status.
///
/// A failure is described as `grpc_status` with the name of the code, as `no_grpc_status`, or by its
/// error.
///
/// What each code means is in the [table](crate::grpc#which-codes-are-failures); change it with
/// [`with_code`](Self::with_code).
///
/// `grpc-retry-pushback-ms` is obeyed where the call failed: it becomes the open time if the
/// circuit opens meanwhile. So is `Retry-After`, from proxies that answer in plain HTTP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GrpcErrorsAsFailures {
    kinds: [OutcomeKind; Code::ALL.len()],
}

impl GrpcErrorsAsFailures {
    /// The table of the [module docs](crate::grpc#which-codes-are-failures).
    #[must_use]
    pub const fn new() -> Self {
        use OutcomeKind::{Failure, Ignored, RateOnly, Success};
        Self { kinds: [Success; Code::ALL.len()] }
            .with_code(Code::Cancelled, Ignored)
            .with_code(Code::Unknown, Failure)
            .with_code(Code::DeadlineExceeded, Failure)
            .with_code(Code::ResourceExhausted, RateOnly)
            .with_code(Code::Internal, Failure)
            .with_code(Code::Unavailable, Failure)
            .with_code(Code::DataLoss, Failure)
    }

    /// Says what a code means.
    ///
    /// ```
    /// use tower_breaker::{circuit::OutcomeKind, grpc::{Code, GrpcErrorsAsFailures}};
    ///
    /// let classify = GrpcErrorsAsFailures::new()
    ///     .with_code(Code::Unimplemented, OutcomeKind::Failure)
    ///     .with_code(Code::DeadlineExceeded, OutcomeKind::RateOnly);
    /// assert_eq!(classify.kind(Code::Unimplemented), OutcomeKind::Failure);
    /// ```
    #[must_use]
    pub const fn with_code(mut self, code: Code, kind: OutcomeKind) -> Self {
        self.kinds[code as usize] = kind;
        self
    }

    /// What a code means.
    #[must_use]
    pub const fn kind(&self, code: Code) -> OutcomeKind {
        self.kinds[code as usize]
    }

    /// What a code means, with the wait that came along.
    fn outcome(&self, code: Code, headers: &HeaderMap) -> Outcome {
        let outcome = match self.kind(code) {
            OutcomeKind::Success => Outcome::SUCCESS,
            OutcomeKind::Failure => Outcome::FAILURE,
            OutcomeKind::RateOnly => Outcome::RATE_ONLY,
            OutcomeKind::Ignored => Outcome::IGNORED,
        };
        let wait = outcome.is_failed().then(|| pushback(headers).or_else(|| retry_after(headers)));
        match wait.flatten() {
            Some(wait) => outcome.with_retry_after(wait),
            None => outcome,
        }
    }

    /// What headers say, if they say it: trailers-only responses, and answers in plain HTTP.
    fn of_headers(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Option<Outcome> {
        if extensions.get::<Rejected>().is_some() {
            return Some(Outcome::IGNORED);
        }
        Some(self.outcome(code(status, headers)?, headers))
    }
}

/// The code that headers have.
fn code(status: StatusCode, headers: &HeaderMap) -> Option<Code> {
    match headers.get(GRPC_STATUS) {
        Some(code) => Some(Code::from_header(code)),
        None => (status != StatusCode::OK).then(|| Code::from_http(status)),
    }
}

/// `grpc_status` and the name of the code, or that there was none.
fn cause(code: Option<Code>) -> Cause {
    match code {
        Some(code) => Cause::new("grpc_status").with_message(code.as_str()),
        None => Cause::new("no_grpc_status"),
    }
}

fn describe<B, Err: 'static>(result: Result<&Response<B>, &Err>) -> Cause {
    match result {
        Ok(response) => cause(code(response.status(), response.headers())),
        Err(error) => cause_of(error),
    }
}

/// The `grpc-retry-pushback-ms`, a number of 32 bits. A negative one asks not to be retried, which
/// is no time.
fn pushback(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_RETRY_PUSHBACK)?.to_str().ok()?.trim();
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let millis = || text.parse::<i32>().ok().and_then(|millis| u64::try_from(millis).ok());
    is_number.then(millis).flatten().map(Duration::from_millis)
}

impl Default for GrpcErrorsAsFailures {
    fn default() -> Self {
        Self::new()
    }
}

/// At the headers, where a status is seen only if the response is nothing but trailers. A response
/// that goes on is a success.
impl<B, Err> Classify<Response<B>, Err> for GrpcErrorsAsFailures {
    fn classify(&self, result: Result<&Response<B>, &Err>) -> Outcome {
        match result {
            Ok(response) => self
                .of_headers(response.status(), response.headers(), response.extensions())
                .unwrap_or(Outcome::SUCCESS),
            Err(_) => Outcome::FAILURE,
        }
    }

    fn describe(&self, result: Result<&Response<B>, &Err>) -> Option<Cause>
    where
        Err: 'static,
    {
        Some(describe(result))
    }
}

impl<B, Err> ClassifyStream<B, Err> for GrpcErrorsAsFailures {
    type ClassifyEos = Self;

    fn classify_response(&self, response: &Response<B>) -> ClassifiedResponse<Self> {
        let (status, headers) = (response.status(), response.headers());
        match self.of_headers(status, headers, response.extensions()) {
            Some(outcome) => ClassifiedResponse::Ready(outcome),
            None => ClassifiedResponse::RequiresEos(*self),
        }
    }

    fn classify_error(&self, _: &Err) -> Outcome {
        Outcome::FAILURE
    }

    fn describe(&self, result: Result<&Response<B>, &Err>) -> Option<Cause>
    where
        Err: 'static,
    {
        Some(describe(result))
    }
}

/// A stream that ends without a status was cut off.
impl ClassifyEos for GrpcErrorsAsFailures {
    fn classify_eos(&self, trailers: Option<&HeaderMap>) -> Outcome {
        let status = |trailers: &HeaderMap| trailers.get(GRPC_STATUS).map(Code::from_header);
        match trailers.and_then(|trailers| Some((status(trailers)?, trailers))) {
            Some((code, trailers)) => self.outcome(code, trailers),
            None => Outcome::FAILURE,
        }
    }

    fn describe_eos(&self, trailers: Option<&HeaderMap>) -> Option<Cause> {
        let status = trailers.and_then(|trailers| trailers.get(GRPC_STATUS));
        Some(cause(status.map(Code::from_header)))
    }
}

impl fmt::Debug for GrpcErrorsAsFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Code::ALL.map(|code| (code, self.kind(code)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: GrpcErrorsAsFailures = GrpcErrorsAsFailures::new();

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        list.iter().map(pair).collect()
    }

    fn response(status: u16, list: &[(&'static str, &str)]) -> Response<()> {
        let mut response = Response::builder().status(status).body(()).unwrap();
        *response.headers_mut() = headers(list);
        response
    }

    fn of_stream(response: &Response<()>) -> ClassifiedResponse<GrpcErrorsAsFailures> {
        ClassifyStream::<_, ()>::classify_response(&DEFAULT, response)
    }

    fn of_head(response: &Response<()>) -> Outcome {
        Classify::<_, ()>::classify(&DEFAULT, Ok(response))
    }

    #[test]
    fn codes_mean_what_the_table_in_the_docs_says() {
        let docs = include_str!("../../grpc/mod.rs");
        for code in Code::ALL {
            let row =
                docs.lines().find(|line| line.starts_with(&format!("//! | `{code}`"))).unwrap();
            let kind = match row.rsplit('|').nth(1).unwrap().trim() {
                "success" => OutcomeKind::Success,
                "failure" => OutcomeKind::Failure,
                "rate only" => OutcomeKind::RateOnly,
                "ignored" => OutcomeKind::Ignored,
                other => panic!("{other}"),
            };
            assert_eq!(DEFAULT.kind(code), kind, "{code}");
        }
    }

    #[test]
    fn a_status_in_the_headers_is_final() {
        for (status, expected) in
            [("0", Outcome::SUCCESS), ("14", Outcome::FAILURE), ("5", Outcome::SUCCESS)]
        {
            let response = response(200, &[("grpc-status", status)]);
            assert_eq!(of_head(&response), expected);
            assert_eq!(of_stream(&response), ClassifiedResponse::Ready(expected));
        }
    }

    #[test]
    fn headers_without_a_status_wait_for_the_trailers() {
        let response = response(200, &[]);
        assert_eq!(of_stream(&response), ClassifiedResponse::RequiresEos(DEFAULT));
        assert_eq!(of_head(&response), Outcome::SUCCESS);
    }

    #[test]
    fn an_answer_in_plain_http_is_mapped() {
        let wait = Duration::from_secs(2);
        let unavailable = response(503, &[("retry-after", "2")]);
        assert_eq!(of_head(&unavailable), Outcome::FAILURE.with_retry_after(wait));
        assert_eq!(of_head(&response(401, &[])), Outcome::SUCCESS);
        // A status of gRPC goes before that of HTTP.
        assert_eq!(of_head(&response(503, &[("grpc-status", "5")])), Outcome::SUCCESS);
    }

    #[test]
    fn the_end_of_a_stream_without_a_status_is_a_failure() {
        assert_eq!(DEFAULT.classify_eos(None), Outcome::FAILURE);
        assert_eq!(DEFAULT.classify_eos(Some(&HeaderMap::new())), Outcome::FAILURE);
        assert_eq!(DEFAULT.classify_eos(Some(&headers(&[("grpc-status", "0")]))), Outcome::SUCCESS);
        assert_eq!(DEFAULT.classify_eos(Some(&headers(&[("grpc-status", "?")]))), Outcome::FAILURE);
    }

    #[test]
    fn pushback_is_obeyed_where_the_call_failed() {
        let cases = [
            ("8", "1500", Outcome::RATE_ONLY.with_retry_after(Duration::from_millis(1500))),
            ("14", "7", Outcome::FAILURE.with_retry_after(Duration::from_millis(7))),
            ("14", "0", Outcome::FAILURE),
            ("14", "-1", Outcome::FAILURE),
            ("14", "", Outcome::FAILURE),
            ("14", "soon", Outcome::FAILURE),
            ("14", "2147483648", Outcome::FAILURE),
            ("0", "7", Outcome::SUCCESS),
            ("1", "7", Outcome::IGNORED),
        ];
        for (status, pushback, expected) in cases {
            let trailers =
                headers(&[("grpc-status", status), ("grpc-retry-pushback-ms", pushback)]);
            assert_eq!(DEFAULT.classify_eos(Some(&trailers)), expected, "{status} {pushback}");
        }
    }
}
