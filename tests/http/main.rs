//! The breaker in front of real servers, over HTTP/1 and HTTP/2 on loopback.
#![cfg(all(feature = "http", feature = "test-util"))]

mod body;
mod causes;
mod edge;
mod probe;
#[cfg(feature = "reqwest")]
mod reqwest_client;
mod reset;
mod server;
mod status;
mod support;
mod upgrade;
