//! The worker that writes what waits to the store.

mod attempt;
mod disk;
mod outage;
mod parts;
mod run;
mod spilling;

pub(super) use self::attempt::attempt;
pub use self::run::Writer;
