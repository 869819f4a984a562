//! Events on disk while the store is down.
//!
//! A folder of segment files, each of events of one run in their order. A segment is written from
//! its start to its end, read back as a whole, and deleted when the store has what is in it.

mod error;
mod folder;
mod options;
mod segment;

pub(super) use self::folder::{Replay, Spill, Spilled};
pub use self::{error::SpillError, options::SpillOptions};
