//! The breaker in tonic clients and servers, over loopback.
#![cfg(all(feature = "grpc", feature = "test-util"))]

mod causes;
mod reject;
mod status;
mod stream;
mod support;
