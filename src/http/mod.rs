//! HTTP: which statuses are failures, bodies that fail, and rejections as responses. Feature
//! `http`.
//!
//! ```
//! use tower_breaker::{
//!     Breaker, CircuitBreakerLayer,
//!     http::{ServerErrorsAsFailures, service_unavailable},
//! };
//!
//! let breaker = Breaker::builder("inventory").build()?;
//! let layer = CircuitBreakerLayer::new(breaker)
//!     // Server errors are failures, and a server that asks to be left alone is.
//!     .classify_with(ServerErrorsAsFailures)
//!     // Callers get a 503 in place of an error, which axum needs.
//!     .on_reject(service_unavailable());
//! # let _ = layer;
//! # Ok::<(), tower_breaker::error::InvalidName>(())
//! ```
//!
//! [`ServerErrorsAsFailures`] classifies; [`AtResponse`](crate::classify::AtResponse) asks it when
//! the headers are there, [`AtEndOfStream`] looks at the body too.
//!
//! # Streams
//!
//! A response that began well may end badly: the connection breaks, the server resets the stream.
//! With [`AtEndOfStream`] the body carries the permit of its call, and the call ends when the body
//! does.
//!
//! ```
//! use tower_breaker::{
//!     Breaker, CircuitBreakerLayer,
//!     http::{AtEndOfStream, ServerErrorsAsFailures},
//! };
//!
//! let breaker = Breaker::builder("inventory").build()?;
//! let layer = CircuitBreakerLayer::new(breaker)
//!     .settle(AtEndOfStream::new(ServerErrorsAsFailures));
//! # let _ = layer;
//! # Ok::<(), tower_breaker::error::InvalidName>(())
//! ```
//!
//! - A body that fails is a failure, whatever the status was.
//! - The call took the time until its headers. A download of an hour is not slow, and neither is
//!   one that is given up after an hour.
//! - A response whose status is no success ends the call at its headers.
//! - A body that is dropped before it ends, without an error, leaves the verdict to the headers: a
//!   caller that reads only the status has read enough.
//! - A probe is a success at its first data, so that a stream without end does not hold the
//!   half-open round. If its body fails later, that is a failure of its own, which counts if the
//!   circuit admits calls at that time.
//! - An upgrade (101, or a `CONNECT` that succeeded) ends the call at the headers.
//!
//! Responses then have a [`TrackedBody`]. A classifier of one's own whose verdict is ready at the
//! headers is a closure, or implements [`ClassifyStream`]; one that needs the trailers returns
//! [`ClassifiedResponse::RequiresEos`], as that for [gRPC](crate::grpc) does.
//!
//! Do without where bodies are small or come from memory: nothing happens after their headers.
//!
//! # Servers
//!
//! Around a server's handlers, a caller that goes away drops the call: it is ignored, unless it had
//! lived for `slow_call_duration_threshold`, when the caller probably went because of that.
//!
//! # `reqwest`
//!
//! With the feature `reqwest`, [`ServerErrorsAsFailures`] also classifies the results of a
//! `reqwest::Client`, which is a tower service of its own. Its builder and redirect errors are the
//! caller's own and are ignored. To see its bodies, turn its responses into those of `http`:
//!
#![cfg_attr(feature = "reqwest", doc = "```")]
#![cfg_attr(not(feature = "reqwest"), doc = "```text")]
//! use tower::ServiceBuilder;
//! use tower_breaker::{
//!     Breaker, CircuitBreakerLayer,
//!     http::{AtEndOfStream, ServerErrorsAsFailures},
//! };
//!
//! let breaker = Breaker::builder("inventory").build()?;
//! let layer = CircuitBreakerLayer::new(breaker)
//!     .settle(AtEndOfStream::new(ServerErrorsAsFailures));
//! let client = ServiceBuilder::new()
//!     .layer(layer)
//!     .map_response(|response: reqwest::Response| -> http::Response<reqwest::Body> {
//!         response.into()
//!     })
//!     .service(reqwest::Client::new());
//! # let _ = client;
//! # Ok::<(), tower_breaker::error::InvalidName>(())
//! ```

mod on_reject;

pub use self::on_reject::{ServiceUnavailable, service_unavailable};
pub use crate::classify::http::{
    AtEndOfStream, ClassifiedResponse, ClassifyEos, ClassifyStream, ServerErrorsAsFailures,
    TrackedBody,
};
