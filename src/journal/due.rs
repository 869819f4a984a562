//! Metric buckets that are due for writing.

use std::collections::BTreeMap;

use crate::{
    name::ServiceName,
    store::{MetricBucket, Resolution, Timestamp},
};

/// Metric buckets that wait to be written: bounded, and each the newest one of its key.
#[derive(Debug)]
pub(super) struct Due {
    buckets: BTreeMap<(Resolution, Timestamp, ServiceName), MetricBucket>,
    capacity: usize,
    dropped: u64,
}

impl Due {
    pub(super) fn new(capacity: usize) -> Self {
        Self { buckets: BTreeMap::new(), capacity, dropped: 0 }
    }

    /// Puts a bucket in place of an older one with its key. Where there is no room, the oldest of
    /// the finest goes.
    pub(super) fn put(&mut self, bucket: MetricBucket) {
        let key = (bucket.resolution, bucket.start, bucket.service.clone());
        self.buckets.insert(key, bucket);
        if self.buckets.len() > self.capacity {
            self.buckets.pop_first();
            self.dropped += 1;
        }
    }

    /// Takes up to `at_most` out.
    pub(super) fn take(&mut self, at_most: usize) -> Vec<MetricBucket> {
        let mut taken = Vec::with_capacity(at_most.min(self.buckets.len()));
        while taken.len() < at_most
            && let Some((_, bucket)) = self.buckets.pop_first()
        {
            taken.push(bucket);
        }
        taken
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// How many were given up.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RunId;

    fn bucket(resolution: Resolution, second: i64, admitted: u64) -> MetricBucket {
        let at = Timestamp::from_micros(second * 1_000_000).unwrap();
        let service = ServiceName::new("a").unwrap();
        let mut bucket = MetricBucket::new(service, RunId::new(1).unwrap(), resolution, at);
        bucket.counts.admitted = admitted;
        bucket
    }

    #[test]
    fn the_newest_figures_replace_those_that_were_not_written() {
        let mut due = Due::new(10);
        due.put(bucket(Resolution::Minute, 60, 1));
        due.put(bucket(Resolution::Minute, 60, 2));
        let taken = due.take(10);
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].counts.admitted, 2);
        assert_eq!(due.len(), 0);
    }

    #[test]
    fn where_there_is_no_room_the_oldest_seconds_go_first() {
        let mut due = Due::new(3);
        due.put(bucket(Resolution::Hour, 0, 1));
        due.put(bucket(Resolution::Minute, 0, 1));
        for second in 0..100 {
            due.put(bucket(Resolution::Second, second, 1));
        }
        assert_eq!((due.len(), due.dropped()), (3, 99));
        let left: Vec<_> = due.take(3).iter().map(|left| (left.resolution, left.start)).collect();
        let last = Timestamp::from_micros(99_000_000).unwrap();
        assert_eq!(
            left,
            [
                (Resolution::Second, last),
                (Resolution::Minute, Timestamp::EPOCH),
                (Resolution::Hour, Timestamp::EPOCH)
            ]
        );
    }
}
