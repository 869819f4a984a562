//! This crate. Nothing else in the benchmark uses its interface.

use std::borrow::Cow;
use std::hint::black_box;

use tower::Layer;
use tower_breaker::{
    Breaker, BreakerMap, CircuitBreaker, CircuitBreakerLayer, Settings, SlidingWindow,
};

use crate::inner::{Broken, Failed, Inner, Ready, Response};
use crate::peers::{LONG, SLOW, WINDOW};
use crate::row::{Kind, Rows, timed};
use crate::scenario::keys::{KEYS, KeyedVisitor, Tower};
use crate::scenario::open::{OPEN, Open, rejections};
use crate::subject::{TowerSubject, Visitor, drive};

/// Failures in a row, nothing else.
pub const CONSECUTIVE: &str = "tower-breaker, consecutive";
/// The failure rate over the last 100 calls as well.
pub const RATE_COUNT: &str = "tower-breaker, rate, count window";
/// The failure rate over ten seconds as well.
pub const RATE_TIME: &str = "tower-breaker, rate, time window";
/// Slow calls over the last 100 calls as well.
pub const FULL_COUNT: &str = "tower-breaker, full, count window";
/// Slow calls over ten seconds as well.
pub const FULL_TIME: &str = "tower-breaker, full, time window";
/// Every configuration.
pub const ALL: [&str; 5] = [CONSECUTIVE, RATE_COUNT, RATE_TIME, FULL_COUNT, FULL_TIME];

/// Asking an open breaker for a permit.
pub const TRY_ACQUIRE: &str = "tower-breaker, try_acquire";
/// A rejection turned into the inner service's error, with its `retry_after`.
pub const REJECT_WITH: &str = "tower-breaker, reject_with";
/// A rejection as a boxed error.
pub const BOX_ERROR: &str = "tower-breaker, BoxError";
/// The keyed rows.
pub const KEYED: &str = "tower-breaker, keyed";

/// This crate with one group of settings.
#[derive(Clone, Copy, Debug)]
pub struct Ours {
    name: &'static str,
    window: Option<SlidingWindow>,
    slow: bool,
}

/// Shows every configuration.
pub fn visit(visitor: &mut impl Visitor) {
    for name in ALL {
        visitor.visit(&Ours::named(name));
    }
}

impl Ours {
    /// The configuration of this name.
    pub fn named(name: &'static str) -> Self {
        let window = match name {
            RATE_COUNT | FULL_COUNT => Some(SlidingWindow::count(100)),
            RATE_TIME | FULL_TIME => Some(SlidingWindow::time(WINDOW)),
            _ => None,
        };
        let slow = matches!(name, FULL_COUNT | FULL_TIME);
        Self { name, window, slow }
    }

    /// The failure rate over so many calls.
    pub fn count_window(calls: u32) -> Self {
        Self { window: Some(SlidingWindow::count(calls)), ..Self::named(RATE_COUNT) }
    }

    fn breaker(&self) -> Breaker {
        let mut settings = Settings::builder()
            .failure_threshold(5)
            .recovery_timeout(LONG)
            .max_recovery_timeout(LONG);
        if let Some(window) = self.window {
            settings = settings
                .sliding_window(window)
                .failure_rate_threshold(0.5)
                .minimum_number_of_calls(20);
        }
        if self.slow {
            settings = settings.slow_call_rate_threshold(0.5).slow_call_duration_threshold(SLOW);
        }
        let settings = settings.build().expect("valid settings");
        Breaker::builder("payments").settings(settings).build().expect("a valid name")
    }
}

impl TowerSubject for Ours {
    type Service<S: Inner> = CircuitBreaker<S>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> Kind {
        Kind::Ours
    }

    fn wrap<S: Inner>(&self, inner: S) -> CircuitBreaker<S> {
        CircuitBreakerLayer::new(self.breaker()).layer(inner)
    }
}

/// Adds the rows of an open circuit.
pub fn open(rows: &mut Rows) {
    rows.add(OPEN, TRY_ACQUIRE, Kind::Ours, || {
        let breaker = Ours::named(CONSECUTIVE).breaker();
        let rejected = loop {
            match breaker.try_acquire() {
                Ok(permit) => permit.failure(),
                Err(rejected) => break rejected,
            }
        };
        assert!(rejected.retry_after.is_some(), "it is open for a known time");
        Box::new(move |calls| {
            timed(|| {
                for _ in 0..calls {
                    match breaker.try_acquire() {
                        Ok(_) => panic!("it is open"),
                        Err(rejected) => drop(black_box(rejected)),
                    }
                }
            })
        })
    });
    rows.add(OPEN, REJECT_WITH, Kind::Ours, || {
        let breaker = Ours::named(CONSECUTIVE).breaker();
        let layer = CircuitBreakerLayer::new(breaker).reject_with(|rejected| {
            black_box(rejected.retry_after.expect("it is open for a known time"));
            Err::<Response, _>(Failed)
        });
        let inner = Broken::new();
        let mut service = layer.layer(inner);
        rejections(inner, move |request, cx| drive(&mut service, request, cx))
    });
    Open(rows).visit(&Ours { name: BOX_ERROR, ..Ours::named(CONSECUTIVE) });
}

/// Shows a breaker for each key, with default settings.
pub fn keyed(visitor: &mut impl KeyedVisitor) {
    visitor.visit(KEYED, Kind::Ours, || {
        let settings = Settings::default();
        let map = BreakerMap::builder().settings(settings).capacity(2 * KEYS).build();
        let map = map.expect("a valid capacity");
        let layer = CircuitBreakerLayer::keyed(map, |key: &&'static str| Cow::Borrowed(*key));
        Tower(layer.layer(Ready))
    });
}
