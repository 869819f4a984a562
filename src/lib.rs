// The README is the front page. What it shows needs all features, and is tested with them.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
//!
//! ## Feature flags
//!
//! Features only add. None is on by default.
//!
//! | feature | what it brings |
//! |---|---|
//! | `http` | classifiers for HTTP responses, Retry-After, results that are known at the end of a body, 503 for rejected requests |
//! | `grpc` | the same for gRPC: status in headers or trailers, UNAVAILABLE with pushback for rejected requests; enables `http` |
//! | `reqwest` | a classifier for reqwest's responses and errors; enables `http` |
//! | `sqlite` | `store::sql::SqlStore`: state and history in a SQLite file, or in one in memory |
//! | `postgres` | the same on a Postgres server, with TLS by rustls |
//! | `redis` | `store::redis::RedisStore`: state and fleet in Redis or Valkey, with TLS by rustls |
//! | `test-util` | a clock that stands still and one that follows tokio's paused time, stores that fail as they are told, and the suite that a store of one's own has to pass |
//! | `full` | `http`, `grpc`, `reqwest`, `sqlite`, `postgres` and `redis` |
//!
//! ## Where to look
//!
//! | module | what is in it |
//! |---|---|
//! | [`service`] | the layer and the service, and where they belong in a stack |
//! | [`breaker`] | [`Breaker`] and [`BreakerMap`]: calls without tower, events, snapshots, overrides, clocks |
//! | [`classify`] | which results are failures, and when that is known |
#![cfg_attr(
    feature = "http",
    doc = "| [`http`](crate::http) | HTTP: which statuses are failures, bodies that fail, rejections as responses |"
)]
#![cfg_attr(
    feature = "grpc",
    doc = "| [`grpc`](crate::grpc) | gRPC: which codes are failures, in headers and trailers, rejections as responses |"
)]
//! | [`error`] | the errors, and how to find a rejection behind those of other layers |
//! | [`retry`] | a retry policy that leaves rejections alone |
//! | [`journal`] | writes what happens to a history store, behind the back of the calls |
//! | [`store`] | where state and history are kept beyond the life of a process |
//! | [`circuit`] | the state machine by itself, without clock or lock: settings, outcomes, transitions |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod breaker;
pub mod circuit;
pub mod classify;
pub mod error;
mod fleet;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "http")]
pub mod http;
pub mod journal;
pub mod registry;
pub mod retry;
pub mod service;
pub mod store;

/// Goes through all interleavings of a model, for the crate's own tests. Not part of what is promised.
#[cfg(any(test, feature = "test-util"))]
#[doc(hidden)]
pub mod explore;
mod name;
mod sync;

#[doc(inline)]
pub use self::{
    breaker::{
        Breaker, BreakerMap, Breakers, CallError, Event, EventKind, Events, Observer, Permit,
        Rejected, ServiceName, Snapshot,
    },
    circuit::{Outcome, OutcomeKind, Settings, SlidingWindow, State, Transition, TripReason},
    classify::{AtResponse, Classify, ErrorsAsFailures},
    error::BoxError,
    registry::Registry,
    service::{CircuitBreaker, CircuitBreakerLayer, OnOpen},
};

/// The examples of the README, which need all features.
#[cfg(all(doctest, feature = "http", feature = "grpc", feature = "reqwest"))]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
