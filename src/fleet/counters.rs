//! What a coordinator did, in figures.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a coordinator did since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CoordinatorStats {
    /// Changes that the store took.
    pub committed: u64,
    /// Proposals that met another process's write first. Each was proposed again or lost.
    pub conflicts: u64,
    /// Changes that were not written, since another process had decided otherwise.
    pub lost: u64,
    /// Changes that were not written one by one, since newer ones of the same circuit took their
    /// place while the store was down.
    pub coalesced: u64,
    /// Leases on half-open rounds that this process took, those of others that had run out among
    /// them.
    pub leases: u64,
    /// Leases that it took over from a process that let them run out.
    pub takeovers: u64,
    /// Leases that it gave back because nobody called.
    pub unused_leases: u64,
    /// What rounds of this process decided that changed nothing, since it had lost the lease.
    pub fenced: u64,
    /// Changes that the store refused for what they are; each was logged.
    pub refused: u64,
    /// Records that cannot be read; each was logged once.
    pub corrupt: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    committed: AtomicU64,
    conflicts: AtomicU64,
    lost: AtomicU64,
    coalesced: AtomicU64,
    leases: AtomicU64,
    takeovers: AtomicU64,
    unused_leases: AtomicU64,
    fenced: AtomicU64,
    refused: AtomicU64,
    corrupt: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> CoordinatorStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CoordinatorStats {
            committed: read(&self.committed),
            conflicts: read(&self.conflicts),
            lost: read(&self.lost),
            coalesced: read(&self.coalesced),
            leases: read(&self.leases),
            takeovers: read(&self.takeovers),
            unused_leases: read(&self.unused_leases),
            fenced: read(&self.fenced),
            refused: read(&self.refused),
            corrupt: read(&self.corrupt),
        }
    }

    pub(super) fn committed(&self) {
        self.committed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn conflict(&self) {
        self.conflicts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn coalesced(&self, changes: u64) {
        self.coalesced.fetch_add(changes, Ordering::Relaxed);
    }

    pub(super) fn leased(&self, taken_over: bool) {
        self.leases.fetch_add(1, Ordering::Relaxed);
        self.takeovers.fetch_add(taken_over.into(), Ordering::Relaxed);
    }

    pub(super) fn unused_lease(&self) {
        self.unused_leases.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fenced(&self) {
        self.fenced.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn corrupt(&self) {
        self.corrupt.fetch_add(1, Ordering::Relaxed);
    }
}
