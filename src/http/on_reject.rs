//! Rejections as responses.

use std::future::{Ready, ready};

use http::{HeaderValue, Response, StatusCode, header::RETRY_AFTER};

use crate::{
    breaker::Rejected,
    service::{ErrorOf, OnReject},
};

/// Answers rejections with 503 Service Unavailable, for
/// [`CircuitBreakerLayer::on_reject`](crate::CircuitBreakerLayer::on_reject).
///
/// `Retry-After` says when to ask again, in seconds that are rounded up, where a clock can tell.
/// The body is empty, and the [`Rejected`] is in the extensions: a breaker further out ignores such
/// a response. The error stays that of the inner service.
///
/// ```
/// use std::convert::Infallible;
/// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
/// use tower_breaker::{Breaker, CircuitBreakerLayer, Rejected, http::service_unavailable};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let breaker = Breaker::builder("greetings").build()?;
/// let mut service = ServiceBuilder::new()
///     .layer(CircuitBreakerLayer::new(breaker.clone()).on_reject(service_unavailable()))
///     .service(service_fn(async |_: http::Request<()>| {
///         Ok::<_, Infallible>(http::Response::new(String::from("hello")))
///     }));
///
/// breaker.force_open();
/// let response = service.ready().await?.call(http::Request::new(())).await?;
/// assert_eq!(response.status(), 503);
/// assert!(response.extensions().get::<Rejected>().is_some());
/// # Ok(())
/// # }
/// ```
pub const fn service_unavailable() -> ServiceUnavailable {
    ServiceUnavailable(())
}

/// Answers rejections with 503 Service Unavailable: see [`service_unavailable`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceUnavailable(());

impl<Err> ErrorOf<Err> for ServiceUnavailable {
    type Error = Err;

    #[inline]
    fn error(error: Err) -> Err {
        error
    }
}

impl<Req, B: Default, Err> OnReject<Req, Response<B>, Err> for ServiceUnavailable {
    type Future = Ready<Result<Response<B>, Err>>;

    fn reject(&self, _: Req, rejected: Rejected) -> Self::Future {
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        if let Some(wait) = rejected.retry_after {
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(rejected);
        ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::breaker::Breaker;

    fn answer(retry_after: Option<Duration>) -> Response<()> {
        let breaker = Breaker::builder("inventory").build().unwrap();
        breaker.force_open();
        let mut rejected = breaker.try_acquire().unwrap_err();
        rejected.retry_after = retry_after;
        let answer: Result<_, ()> = service_unavailable().reject((), rejected).into_inner();
        answer.unwrap()
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let cases = [
            (Duration::ZERO, "0"),
            (Duration::from_nanos(1), "1"),
            (Duration::from_secs(1), "1"),
            (Duration::from_millis(59_001), "60"),
            (Duration::MAX, "18446744073709551615"),
        ];
        for (wait, expected) in cases {
            assert_eq!(answer(Some(wait)).headers()[RETRY_AFTER], expected, "{wait:?}");
        }
    }

    #[test]
    fn where_no_clock_can_tell_there_is_no_retry_after() {
        let answer = answer(None);
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().is_empty());
        assert_eq!(answer.extensions().get::<Rejected>().unwrap().service.as_str(), "inventory");
    }
}
