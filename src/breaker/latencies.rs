//! How long calls took.

use std::{collections::BTreeMap, time::Duration};

/// How long calls took, counted in buckets: see
/// [`Breaker::drain_latencies`](super::Breaker::drain_latencies).
///
/// A call is known by the upper bound of its bucket, which is at most 6.25 % more than it took. The
/// buckets can be kept elsewhere, collected again and merged.
///
/// ```
/// use std::time::Duration;
/// use tower_breaker::breaker::Latencies;
///
/// let mut hour: Latencies = [(Duration::from_millis(20), 99)].into_iter().collect();
/// hour.merge(&[(Duration::from_secs(1), 1)].into_iter().collect());
/// assert_eq!(hour.count(), 100);
/// assert_eq!(hour.quantile(0.99), Some(Duration::from_millis(20)));
/// assert_eq!(hour.max(), Some(Duration::from_secs(1)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// The calls of each bucket that has some, by its upper bound.
    buckets: BTreeMap<Duration, u64>,
}

impl Latencies {
    /// How many calls there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.values().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// Whether there is no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// How long the given share of the calls took at most: 0.5 for the median. Shares below 0 and
    /// above 1 stand for those; none if there is no call, or if `share` is no number.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        if share.is_nan() {
            return None;
        }
        let rank = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut counted = 0_u64;
        let reached = |&(_, &count): &(_, &u64)| {
            counted = counted.saturating_add(count);
            counted >= rank
        };
        self.buckets.iter().find(reached).map(|(&bound, _)| bound).or_else(|| self.max())
    }

    /// How long the longest call took at most; none if there is no call.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        self.buckets.last_key_value().map(|(&bound, _)| bound)
    }

    /// Adds the calls of another, which may be of another breaker.
    pub fn merge(&mut self, other: &Self) {
        other.buckets().for_each(|(bound, count)| self.add(bound, count));
    }

    /// The buckets that have calls, each by its upper bound and how many, shortest first.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.buckets.iter().map(|(&bound, &count)| (bound, count))
    }

    pub(super) fn add(&mut self, bound: Duration, count: u64) {
        if count > 0 {
            let sum = self.buckets.entry(bound).or_default();
            *sum = sum.saturating_add(count);
        }
    }
}

/// Collects buckets that were kept elsewhere, in any order.
impl FromIterator<(Duration, u64)> for Latencies {
    fn from_iter<I: IntoIterator<Item = (Duration, u64)>>(buckets: I) -> Self {
        let mut latencies = Self::default();
        buckets.into_iter().for_each(|(bound, count)| latencies.add(bound, count));
        latencies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn nanos(nanos: u64) -> Duration {
        Duration::from_nanos(nanos)
    }

    fn of<const N: usize>(buckets: [(u64, u64); N]) -> Latencies {
        buckets.map(|(bound, count)| (nanos(bound), count)).into_iter().collect()
    }

    #[test]
    fn a_quantile_is_the_bound_of_the_bucket_that_reaches_the_share() {
        let latencies = of([(30, 10), (10, 50), (20, 40)]);
        for (share, bound) in [
            (-1.0, 10),
            (0.0, 10),
            (0.5, 10),
            (0.51, 20),
            (0.9, 20),
            (0.901, 30),
            (1.0, 30),
            (7.0, 30),
        ] {
            assert_eq!(latencies.quantile(share), Some(nanos(bound)), "{share}");
        }
        assert_eq!(latencies.quantile(f64::NAN), None);
        assert_eq!((latencies.count(), latencies.max()), (100, Some(nanos(30))));
    }

    #[test]
    fn without_a_call_there_is_nothing_to_tell() {
        for none in [Latencies::default(), of([(7, 0)])] {
            assert!(none.is_empty());
            assert_eq!((none.count(), none.quantile(0.5), none.max()), (0, None, None));
            assert_eq!(none.buckets().count(), 0);
        }
    }

    #[test]
    fn buckets_that_were_kept_elsewhere_are_the_same_again_and_add_up() {
        let mut latencies = of([(10, 1), (20, 2), (10, 4)]);
        assert_eq!(latencies.buckets().collect::<Vec<_>>(), [(nanos(10), 5), (nanos(20), 2)]);
        assert_eq!(latencies.buckets().collect::<Latencies>(), latencies);
        latencies.merge(&of([(20, 3), (40, 1)]));
        assert_eq!(latencies, of([(10, 5), (20, 5), (40, 1)]));
        latencies.merge(&of([(40, u64::MAX), (20, u64::MAX)]));
        assert_eq!(latencies.count(), u64::MAX, "it stops there");
        assert_eq!(latencies.quantile(1.0), Some(nanos(20)));
    }
}
