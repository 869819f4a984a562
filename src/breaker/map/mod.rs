//! A breaker for each key: host, route, tenant.
//!
//! The number of keys is bounded, and keys that nobody calls are let go, so that keys from outside
//! cannot fill the memory. An open circuit is not forgotten while its time runs, nor one with a
//! call in flight or an override.

mod breakers;
mod builder;
mod eviction;
mod keyed;

pub use self::{
    breakers::Breakers,
    builder::{BreakerMapBuilder, InvalidMap},
    keyed::BreakerMap,
};
