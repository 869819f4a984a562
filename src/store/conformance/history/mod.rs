//! What a history has to do.

mod alerts;
mod append;
mod list;
mod metrics;
mod paging;
mod patterns;
mod prune;
mod queries;

pub(super) use self::list::checks;
