//! Where circuits are kept.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::{
    error::StoreError,
    event::EventRecord,
    record::CircuitRecord,
    stored::{ChangeHint, Committed, Cursor, Expected, Stored},
};
use crate::name::ServiceName;

/// Where the states of circuits are kept, for all processes that share them.
///
/// A store decides between writers, and does nothing else: it does not judge states, does not count,
/// and never makes up a record. See the [module docs](super) for what an implementation has to
/// guarantee and how it is tested.
///
/// Every method may be dropped at any await. The store is then as it was before, or as it would have
/// been after, and the next call finds it working.
#[async_trait]
pub trait StateStore: Debug + Send + Sync + 'static {
    /// What is stored of a circuit: none if there is nothing, which is not the same as a tombstone.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`], whose row has the name, where the
    /// record cannot be read.
    async fn load(&self, service: &ServiceName) -> Result<Option<Stored>, StoreError>;

    /// What is stored of all circuits, or at least of all that were written after `since` was given
    /// out, and where the reader stands now. It may return more than that, never less: a write that
    /// is committed while this runs is in this answer or in the next one.
    ///
    /// Records that cannot be read are left out and returned as errors in
    /// [`Loaded::corrupt`], so that one row does not keep all others from being read.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] or [`StoreError::Schema`].
    async fn load_all(&self, since: Option<Cursor>) -> Result<Loaded, StoreError>;

    /// Writes one lane of `next`, and `event` with it, if that lane has the expected version; all of
    /// it or nothing. What `next` has in its other lanes is ignored.
    ///
    /// Where nothing or a tombstone was, there is a record now, whose other lanes are empty and keep
    /// the versions of the tombstone: closed since this write, without an override, without changes
    /// of settings. What it had of [`extra`](CircuitRecord::extra) went with the removal.
    ///
    /// A store that keeps a history too makes the event part of it; one that does not ignores it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] with what is stored if the version is another one;
    /// [`StoreError::Invalid`] if the version of `next` is not above the expected one, or a field is
    /// out of its bounds, whatever is stored; [`StoreError::Unavailable`], where the write may have been taken. Whoever
    /// proposes again then meets a conflict, whose `change_id` tells whose write it was.
    async fn compare_and_swap(
        &self,
        expected: Expected,
        next: &CircuitRecord,
        event: Option<&EventRecord>,
    ) -> Result<Committed, StoreError>;

    /// Removes a circuit if the lane has the expected version, and leaves a tombstone.
    ///
    /// # Errors
    ///
    /// As [`compare_and_swap`](Self::compare_and_swap); a circuit that is removed already, or was
    /// never stored, is a conflict, and so is an expectation that nothing is stored.
    async fn remove(&self, service: &ServiceName, expected: Expected) -> Result<(), StoreError>;

    /// Deletes up to `at_most` tombstones that are at least `age` old by the store's clock. Returns
    /// how many.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    async fn forget_tombstones(&self, age: Duration, at_most: u32) -> Result<u64, StoreError>;

    /// Hints that records changed, from now on, also by other processes. The stream does not end; it
    /// says [`ChangeHint::Resync`] first, and whenever hints may have been lost. A store that cannot
    /// tell does that at an interval.
    fn watch(&self) -> BoxStream<'static, ChangeHint>;
}

/// What [`StateStore::load_all`] found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Loaded {
    /// Records and tombstones, in any order.
    pub stored: Vec<Stored>,
    /// The records that cannot be read: [`StoreError::Corrupt`].
    pub corrupt: Vec<StoreError>,
    /// Where the reader stands now.
    pub cursor: Cursor,
}

impl Loaded {
    /// An answer in which all records could be read.
    #[must_use]
    pub fn new(stored: Vec<Stored>, cursor: Cursor) -> Self {
        Self { stored, corrupt: Vec::new(), cursor }
    }
}
