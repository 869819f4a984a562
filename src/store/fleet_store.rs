//! Where the processes of a fleet meet.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;

use super::{
    error::StoreError,
    ids::RunId,
    instance::{InstanceRow, NamedLease},
};

/// Where the processes of a fleet meet: leases on background work, and what each tells of itself.
///
/// The leases on half-open rounds are not here but in the circuits' records, since they are taken
/// with a state change. Every method may be dropped at any await, and fails with
/// [`StoreError::Unavailable`] where the store cannot be asked.
#[async_trait]
pub trait FleetStore: Debug + Send + Sync + 'static {
    /// Takes a lease for `term`, if nobody holds it by the store's own clock. Whoever holds it
    /// already is somebody else too: one `owner` does not get it twice. A term that is longer than
    /// the store's clock can tell does not end.
    async fn lease(
        &self,
        name: &str,
        owner: RunId,
        term: Duration,
    ) -> Result<Option<NamedLease>, StoreError>;

    /// Begins the term of a lease anew, with the term that it has now. Returns whether it was still held under that token; one that
    /// ran out and that nobody took since counts as held.
    async fn renew(&self, lease: &NamedLease) -> Result<bool, StoreError>;

    /// Gives a lease back. Returns whether it was still held under that token.
    async fn release(&self, lease: &NamedLease) -> Result<bool, StoreError>;

    /// Writes the row of a process in place of its last one.
    async fn publish(&self, row: &InstanceRow) -> Result<(), StoreError>;

    /// The rows of all processes that told of themselves within `age`, by the store's own clock.
    async fn instances(&self, age: Duration) -> Result<Vec<InstanceRow>, StoreError>;

    /// Removes the row of a process that ends.
    async fn retire(&self, run: RunId) -> Result<(), StoreError>;

    /// Deletes up to `at_most` rows of processes that have not told of themselves for `age`. Returns
    /// how many.
    async fn forget_instances(&self, age: Duration, at_most: u32) -> Result<u64, StoreError>;
}
