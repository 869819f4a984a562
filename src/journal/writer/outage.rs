//! A store that does not take writes: how long to wait, and what is said of it.

use std::{error::Error, sync::atomic::Ordering, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::{
    circuit::Moment,
    journal::{options::JournalOptions, shared::Shared},
    store::StoreError,
};

/// The time from the first write that failed to the next one that did not.
#[derive(Debug)]
pub(super) struct Outage {
    delays: ExponentialBuilder,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    since: Moment,
    failures: u64,
    delays: ExponentialBackoff,
}

impl Outage {
    pub(super) fn new(options: &JournalOptions) -> Self {
        let delays = ExponentialBuilder::default()
            .with_min_delay(options.retry_delay)
            .with_max_delay(options.max_retry_delay)
            .with_factor(2.0)
            .with_jitter()
            .with_jitter_seed(fastrand::u64(..))
            .without_max_times();
        Self { delays, running: None }
    }

    /// A write failed.
    pub(super) fn failed(&mut self, shared: &Shared, error: &StoreError) {
        shared.counters.retries.add(1);
        shared.counters.store_is_down.store(true, Ordering::Relaxed);
        let running = self.running.get_or_insert_with(|| {
            let cause = error.source().map(tracing::field::display);
            tracing::warn!(
                %error,
                cause,
                "circuit breaker history: the store takes no writes, they are tried again"
            );
            let since = shared.clock.moment(shared.clock.ticks());
            Running { since, failures: 0, delays: self.delays.build() }
        });
        running.failures += 1;
    }

    /// The store took a write.
    pub(super) fn end(&mut self, shared: &Shared) {
        if let Some(Running { since, failures, .. }) = self.running.take() {
            shared.counters.store_is_down.store(false, Ordering::Relaxed);
            let lasted = shared.clock.moment(shared.clock.ticks()).since(since);
            tracing::info!(
                ?lasted,
                failures,
                "circuit breaker history: the store takes writes again"
            );
        }
    }

    /// How long to wait before the next try: none if the store is not down.
    pub(super) fn delay(&mut self) -> Option<Duration> {
        self.running.as_mut()?.delays.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RunId;

    #[test]
    fn delays_double_up_to_the_longest_with_as_much_again_at_random() {
        let ms = Duration::from_millis;
        let options = JournalOptions::new().retry_delay(ms(100), ms(1_000));
        let shared = Shared::new(RunId::random(), options.clone());
        let mut outage = Outage::new(&options);
        assert_eq!(outage.delay(), None);
        let error = StoreError::unavailable("append", "down");
        for base in [100, 200, 400, 800, 1_000, 1_000, 1_000] {
            outage.failed(&shared, &error);
            let delay = outage.delay().unwrap();
            assert!((ms(base)..=ms(2 * base)).contains(&delay), "{base}: {delay:?}");
        }
        assert!(shared.stats().store_is_down);
        outage.end(&shared);
        outage.failed(&shared, &error);
        assert!(outage.delay().unwrap() <= ms(200), "each outage begins anew");
        assert_eq!(shared.stats().retries, 8);
    }
}
