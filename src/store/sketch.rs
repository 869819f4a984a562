//! How long calls took, in few numbers that can be added up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A log-linear histogram of durations: sixteen buckets an octave, so that a quantile is at most
/// 6.25 % above the true one. Only buckets that hold something are kept, in rising order.
///
/// Bucket `i` below 16 holds exactly `i` nanoseconds; from there on, bucket `16 × k + j` holds
/// `(16 + j) × 2^(k−1)` nanoseconds up to the next one's. The layout is part of what stores keep and
/// never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u16, u64)>", into = "Vec<(u16, u64)>")]
pub struct LatencySketch(Vec<(u16, u64)>);

const PER_OCTAVE: u32 = 16;
const BITS: u32 = PER_OCTAVE.ilog2();
/// The bucket of `u64::MAX`.
const LAST: u16 = bucket_of(u64::MAX);

const fn bucket_of(nanos: u64) -> u16 {
    if nanos < PER_OCTAVE as u64 {
        return nanos as u16;
    }
    let shift = nanos.ilog2() - BITS;
    (PER_OCTAVE * shift + (nanos >> shift) as u32) as u16
}

const fn highest_in(bucket: u16) -> u64 {
    let bucket = bucket as u64;
    let per_octave = PER_OCTAVE as u64;
    if bucket < per_octave {
        return bucket;
    }
    let shift = bucket / per_octave - 1;
    let lowest = (bucket - per_octave * shift) << shift;
    lowest + ((1 << shift) - 1)
}

impl LatencySketch {
    /// Adds `count` calls that took about `duration`.
    pub fn record(&mut self, duration: Duration, count: u64) {
        if count > 0 {
            let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            self.add_to(bucket_of(nanos), count);
        }
    }

    fn add_to(&mut self, bucket: u16, count: u64) {
        match self.0.binary_search_by_key(&bucket, |&(bucket, _)| bucket) {
            Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(count),
            Err(at) => self.0.insert(at, (bucket, count)),
        }
    }

    /// Adds what another sketch holds.
    pub fn merge(&mut self, other: &Self) {
        for &(bucket, count) in &other.0 {
            self.add_to(bucket, count);
        }
    }

    /// How many calls it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, &(_, count)| sum.saturating_add(count))
    }

    /// Whether it holds no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The duration that at least a share of `q` of the calls did not exceed, at most 6.25 % too
    /// long. `q` is clamped to 0..=1; the answer is none without calls.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let total = self.count();
        let rank = ((total as f64 * q.clamp(0.0, 1.0)).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0_u64;
        for &(bucket, count) in &self.0 {
            seen = seen.saturating_add(count);
            if seen >= rank {
                return Some(Duration::from_nanos(highest_in(bucket)));
            }
        }
        None
    }

    /// The buckets that hold something, in rising order: their number and how many calls.
    #[must_use]
    pub fn buckets(&self) -> &[(u16, u64)] {
        &self.0
    }
}

impl TryFrom<Vec<(u16, u64)>> for LatencySketch {
    type Error = String;

    fn try_from(buckets: Vec<(u16, u64)>) -> Result<Self, String> {
        if let Some((bucket, _)) = buckets.last().filter(|(bucket, _)| *bucket > LAST) {
            return Err(format!("bucket {bucket} of a latency sketch, the last one is {LAST}"));
        }
        if buckets.iter().any(|&(_, count)| count == 0) {
            return Err("a latency sketch has an empty bucket".to_owned());
        }
        if !buckets.is_sorted_by(|one, next| one.0 < next.0) {
            return Err("the buckets of a latency sketch do not rise".to_owned());
        }
        Ok(Self(buckets))
    }
}

impl From<LatencySketch> for Vec<(u16, u64)> {
    fn from(sketch: LatencySketch) -> Self {
        sketch.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bucket_ends_at_most_a_sixteenth_above_what_it_holds(nanos: u64) {
            let highest = highest_in(bucket_of(nanos));
            prop_assert!(highest >= nanos);
            prop_assert!((highest - nanos) as f64 <= nanos as f64 / 16.0);
        }

        #[test]
        fn merged_sketches_hold_what_one_would(
            one in prop::collection::vec(0_u64..10_000_000_000, 0..50),
            two in prop::collection::vec(0_u64..10_000_000_000, 0..50),
        ) {
            let sketch = |values: &[u64]| {
                let mut sketch = LatencySketch::default();
                for &nanos in values {
                    sketch.record(Duration::from_nanos(nanos), 1);
                }
                sketch
            };
            let mut merged = sketch(&one);
            merged.merge(&sketch(&two));
            let all = [one, two].concat();
            prop_assert_eq!(&merged, &sketch(&all));
            let text = serde_json::to_string(&merged).unwrap();
            prop_assert_eq!(serde_json::from_str::<LatencySketch>(&text).unwrap(), merged);
        }
    }

    #[test]
    fn a_quantile_is_not_exceeded_by_its_share_of_the_calls() {
        let mut sketch = LatencySketch::default();
        assert_eq!(sketch.quantile(0.5), None);
        for millis in 1..=100 {
            sketch.record(Duration::from_millis(millis), 1);
        }
        for (q, millis) in [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            let found = sketch.quantile(q).unwrap().as_secs_f64() * 1000.0;
            assert!((millis..=millis * 1.0625).contains(&found), "{q}: {found}");
        }
    }

    #[test]
    fn a_sketch_that_is_none_is_not_read() {
        for (text, said) in [
            ("[[1,0]]", "empty bucket"),
            ("[[2,1],[1,1]]", "do not rise"),
            ("[[1,1],[1,1]]", "do not rise"),
            ("[[65000,1]]", "the last one is"),
            ("[[-1,1]]", "invalid value"),
        ] {
            let error = serde_json::from_str::<LatencySketch>(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
