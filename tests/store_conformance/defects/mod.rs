//! Defects, one a type.

pub(crate) mod cancelled;
pub(crate) mod events;
pub(crate) mod fleet;
pub(crate) mod hints;
pub(crate) mod history;
pub(crate) mod reads;
pub(crate) mod values;
pub(crate) mod writes;
