//! What the history keeps of how many calls did what.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    ids::{RunId, Timestamp, duration},
    sketch::LatencySketch,
};
use crate::name::ServiceName;

/// What one run counted of one service in one stretch of time.
///
/// Service, run, resolution and start are its key: what is written later replaces what was there, so
/// a run writes the figures of the whole stretch so far, and a retry changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MetricBucket {
    /// What the circuit protects.
    pub service: ServiceName,
    /// Who counted.
    pub run: RunId,
    /// How long the stretch is.
    pub resolution: Resolution,
    /// When it begins: a whole multiple of the resolution, by the wall clock of the process.
    pub start: Timestamp,
    /// What was counted.
    pub counts: CallCounts,
    /// How long the calls took that had a result.
    pub latencies: LatencySketch,
}

impl MetricBucket {
    /// An empty bucket: the one that `at` falls into.
    #[must_use]
    pub fn new(service: ServiceName, run: RunId, resolution: Resolution, at: Timestamp) -> Self {
        Self {
            service,
            run,
            resolution,
            start: resolution.start_of(at),
            counts: CallCounts::default(),
            latencies: LatencySketch::default(),
        }
    }
}

/// What was counted of the calls of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallCounts {
    /// Calls that were admitted.
    pub admitted: u64,
    /// Results that were successes.
    pub succeeded: u64,
    /// Results that were failures, those that count for the rates only among them.
    pub failed: u64,
    /// Results that were slow, whether they failed or not.
    pub slow: u64,
    /// Calls that were rejected.
    pub rejected: u64,
    /// Results that decided nothing: ignored ones, and probes that were given up early.
    pub ignored: u64,
    /// Results that came after their generation had ended.
    pub late: u64,
    /// How long the circuit let no ordinary call through: open, half-open or forced open.
    #[serde(with = "duration")]
    pub unavailable: Duration,
}

impl CallCounts {
    /// Adds other counts to these.
    pub fn add(&mut self, other: &Self) {
        self.admitted = self.admitted.saturating_add(other.admitted);
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        self.failed = self.failed.saturating_add(other.failed);
        self.slow = self.slow.saturating_add(other.slow);
        self.rejected = self.rejected.saturating_add(other.rejected);
        self.ignored = self.ignored.saturating_add(other.ignored);
        self.late = self.late.saturating_add(other.late);
        self.unavailable = self.unavailable.saturating_add(other.unavailable);
    }
}

/// How long a stretch of time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Resolution {
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// One hour.
    Hour,
}

impl Resolution {
    /// All of them, the finest first.
    pub const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    /// Its length in seconds: what stores keep.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    /// The resolution of that many seconds.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|resolution| i64::from(resolution.seconds()) == seconds)
    }

    /// Its length.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_secs(self.seconds() as u64)
    }

    /// Where the stretch begins that `at` falls into.
    #[must_use]
    pub fn start_of(self, at: Timestamp) -> Timestamp {
        let length = i64::from(self.seconds()) * 1_000_000;
        let start = at.as_micros() - at.as_micros() % length;
        Timestamp::from_micros(start).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_begins_at_a_whole_multiple_of_its_length() {
        let at = Timestamp::from_micros(7_384_999_999).unwrap();
        for (resolution, start) in [
            (Resolution::Second, 7_384_000_000),
            (Resolution::Minute, 7_380_000_000),
            (Resolution::Hour, 7_200_000_000),
        ] {
            assert_eq!(resolution.start_of(at).as_micros(), start);
            assert_eq!(Resolution::from_seconds(resolution.seconds().into()), Some(resolution));
        }
        assert_eq!(Resolution::from_seconds(2), None);
    }
}
