//! tower-resilience-circuitbreaker: a tower layer whose future is boxed and whose circuit is
//! behind tokio's mutex.
//!
//! Its time window keeps a record for each call and adds them all up at each call, so its cost is
//! a matter of how many calls the window holds. It is therefore measured with a known number of
//! them, in the scenarios of [`windows`](crate::scenario::windows), and not in an endless loop.

use tower::Layer;
use tower_resilience_circuitbreaker::{
    CircuitBreaker, CircuitBreakerConfigBuilder, CircuitBreakerLayer, DefaultClassifier,
    SlidingWindowType,
};

use super::{LONG, WINDOW};
use crate::inner::Inner;
use crate::row::Kind;
use crate::subject::{TowerSubject, Visitor};

type Builder = CircuitBreakerConfigBuilder<DefaultClassifier>;

/// Shows what does not depend on how many calls there were.
pub fn visit(visitor: &mut impl Visitor) {
    visitor.visit(&CONSECUTIVE);
    visitor.visit(&COUNT);
    visitor.visit(&COUNT_FULL);
}

/// Failures in a row.
pub const CONSECUTIVE: TowerResilience = TowerResilience {
    name: "tower-resilience, consecutive",
    settings: |builder| builder.consecutive_failures(5),
};

/// The failure rate over the last 100 calls.
pub const COUNT: TowerResilience = TowerResilience {
    name: "tower-resilience, rate, count window",
    settings: |builder| builder.failure_rate_threshold(0.5).sliding_window_size(100),
};

/// The failure rate and the rate of slow calls over the last 100 calls.
pub const COUNT_FULL: TowerResilience = TowerResilience {
    name: "tower-resilience, full, count window",
    settings: |builder| slow((COUNT.settings)(builder)),
};

/// The failure rate and the rate of slow calls over ten seconds.
pub const TIME_FULL: TowerResilience = TowerResilience {
    name: "tower-resilience, full, time window",
    settings: |builder| {
        slow(builder.failure_rate_threshold(0.5))
            .sliding_window_type(SlidingWindowType::TimeBased)
            .sliding_window_duration(WINDOW)
            .minimum_number_of_calls(20)
    },
};

fn slow(builder: Builder) -> Builder {
    builder.slow_call_duration_threshold(super::SLOW).slow_call_rate_threshold(0.5)
}

/// tower-resilience with one group of settings.
#[derive(Clone, Copy, Debug)]
pub struct TowerResilience {
    name: &'static str,
    settings: fn(Builder) -> Builder,
}

impl TowerSubject for TowerResilience {
    type Service<S: Inner> = CircuitBreaker<S, DefaultClassifier>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> Kind {
        Kind::Peer
    }

    fn wrap<S: Inner>(&self, inner: S) -> Self::Service<S> {
        let builder = CircuitBreakerLayer::builder().wait_duration_in_open(LONG);
        let layer = (self.settings)(builder).build().expect("valid settings");
        layer.layer(inner)
    }
}
