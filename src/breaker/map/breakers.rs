//! Where a keyed layer gets its breakers from.

use std::sync::Arc;

use super::BreakerMap;
use crate::breaker::Breaker;

/// Finds the breaker for a key. [`CircuitBreakerLayer::keyed`](crate::CircuitBreakerLayer::keyed)
/// asks it for every call.
pub trait Breakers {
    /// The breaker for `key`. Must not block, and must answer with some breaker for any text.
    fn breaker(&self, key: &str) -> Breaker;
}

impl Breakers for BreakerMap {
    fn breaker(&self, key: &str) -> Breaker {
        Self::breaker(self, key)
    }
}

impl<B: Breakers + ?Sized> Breakers for Arc<B> {
    fn breaker(&self, key: &str) -> Breaker {
        (**self).breaker(key)
    }
}
