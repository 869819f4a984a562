//! What a store in memory holds.

/// How much a [`MemoryStore`](super::MemoryStore) holds, and what it let go for want of room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Circuits, tombstones among them.
    pub circuits: usize,
    /// Events.
    pub events: usize,
    /// Metric buckets of all resolutions.
    pub buckets: usize,
    /// Patterns, alerts and silences.
    pub findings: usize,
    /// Events that had to go.
    pub dropped_events: u64,
    /// Metric buckets that had to go.
    pub dropped_buckets: u64,
    /// Patterns, alerts and silences that had to go.
    pub dropped_findings: u64,
}
