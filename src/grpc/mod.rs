//! gRPC: which status codes are failures, in headers and in trailers, and rejections as responses.
//! Feature `grpc`.
//!
//! ```
//! use tower_breaker::{
//!     Breaker, CircuitBreakerLayer,
//!     grpc::{self, GrpcErrorsAsFailures},
//!     http::AtEndOfStream,
//! };
//!
//! let breaker = Breaker::builder("payments").build()?;
//! let layer = CircuitBreakerLayer::new(breaker)
//!     .settle(AtEndOfStream::new(GrpcErrorsAsFailures::new()))
//!     .on_reject(grpc::unavailable());
//! # let _ = layer;
//! # Ok::<(), tower_breaker::error::InvalidName>(())
//! ```
//!
//! The layer goes around a tonic `Channel`, or into the `layer` of a tonic `Server`. It needs
//! nothing of tonic: any service of `http` responses will do. A rejection as an error would reach
//! callers of a tonic client as the status `UNKNOWN`; [`unavailable`] tells them what happened, in
//! the way that their retry policies understand.
//!
//! # Where the status is
//!
//! In the trailers, after the messages, or in the headers of a response that has no messages. So
//! the classifier belongs into [`AtEndOfStream`](crate::http::AtEndOfStream). What is said of
//! [streams](crate::http#streams) holds, except that headers without a status say nothing:
//!
//! - The call took the time until its first message, and it is in flight until then.
//! - A stream that is dropped before its first message is a call that was given up; after it, a
//!   success.
//! - A probe is a success at its first message. What its trailers say later is booked on its own if
//!   it is a failure.
//! - A stream that ends without a status is a failure: something cut it off.
//! - A response without a status whose HTTP status is not 200 did not come from a gRPC server;
//!   [`Code::from_http`] says which code it stands for.
//!
//! With [`AtResponse`](crate::classify::AtResponse) only a status in the headers is seen.
//!
//! gRPC-Web has its trailers in the body, where they are not looked for: put the breaker on the
//! side of the translation that speaks gRPC.
//!
//! # Which codes are failures
//!
//! Those that tell of a service in trouble. A service that refuses a request has understood it, and
//! is well. A caller with a bug must not open the circuit for all others.
//!
//! | code | why | outcome |
//! |---|---|---|
//! | `OK` | | success |
//! | `CANCELLED` | the caller gave up | ignored |
//! | `UNKNOWN` | what servers make of an unexpected error | failure |
//! | `INVALID_ARGUMENT` | the caller's fault | success |
//! | `DEADLINE_EXCEEDED` | too slow for its callers | failure |
//! | `NOT_FOUND` | an answer | success |
//! | `ALREADY_EXISTS` | an answer | success |
//! | `PERMISSION_DENIED` | the caller's fault | success |
//! | `RESOURCE_EXHAUSTED` | the server limits us, as with a 429 | rate only |
//! | `FAILED_PRECONDITION` | an answer | success |
//! | `ABORTED` | lost against another call | success |
//! | `OUT_OF_RANGE` | the caller's fault | success |
//! | `UNIMPLEMENTED` | other methods work | success |
//! | `INTERNAL` | the server is broken | failure |
//! | `UNAVAILABLE` | the server is overloaded or gone | failure |
//! | `DATA_LOSS` | the server's data is broken | failure |
//! | `UNAUTHENTICATED` | the caller's fault | success |
//!
//! The failures are the codes that OpenTelemetry counts as errors of a server, without
//! `UNIMPLEMENTED`. [`GrpcErrorsAsFailures::with_code`] changes the table.

mod on_reject;

pub use self::on_reject::{Unavailable, unavailable};
pub use crate::classify::grpc::{Code, GrpcErrorsAsFailures};
