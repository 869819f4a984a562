//! What did not get into the store in time.

/// What had not reached the store when a flush or a shutdown ended: all zero if everything had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unwritten {
    /// Events in memory only. After a shutdown they are lost.
    pub events: u64,
    /// Events of this run on disk, which are written when the store is back, or by the next run.
    pub on_disk: u64,
    /// Bytes on disk, those of earlier runs among them.
    pub disk_bytes: u64,
    /// Metric buckets. After a shutdown they are lost.
    pub buckets: u64,
}

impl Unwritten {
    /// Whether the store has everything.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
