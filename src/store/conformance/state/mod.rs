//! What a store of circuits has to do.

mod ages;
mod cancelled;
mod events;
mod lanes;
mod list;
mod races;
mod reads;
mod swap;
mod tombstones;
mod values;
mod watch;

pub(super) use self::list::{checks, checks_with_events};
