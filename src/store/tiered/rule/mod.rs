//! The rule of two tiers: who is asked next, what an answer means, who won, what is brought up.
//!
//! Pure: it is handed answers and says what is to be asked. [`TieredStore`](super::TieredStore)
//! drives it over stores, and a model checker drives it through all interleavings of a few processes
//! with all that can go wrong.
//!
//! - A [`Write`] looks at the tiers that can be reached, has them agree, and writes the cache first,
//!   then the durable one. A conflict on either loses.
//! - Without the durable store the write opens a new epoch, so that it is above whatever the durable
//!   one takes meanwhile.
//! - Each lane says which write in its past was last [offered to both](Seen::root), or made on one of
//!   them alone. So what the cache took without the durable store is known to have been decided with
//!   what that has in sight, or not; where not, it does not erase the lanes that people write.
//! - `repair` is the one next thing to do about two tiers that differ.

mod answers;
mod decide;
mod held;
mod repair;
mod words;
mod write;

pub use self::{
    held::{Held, Seen, Tier, Variant},
    repair::{Repair, Source, Why, repair},
    words::{Answer, Ask, Kept, Verdict, Work},
    write::Write,
};
