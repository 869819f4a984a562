//! What a place where processes meet has to do.

mod instances;
mod leases;
mod list;

pub(super) use self::list::checks;
