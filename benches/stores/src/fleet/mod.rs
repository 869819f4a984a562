//! What it costs to act as one: how fast a fleet follows, what a call pays for it, and what the
//! servers see while nothing happens.

mod calls;
mod following;
mod idle;
mod servers;

pub(crate) use self::{
    calls::measure as calls, following::measure as following, idle::measure as idle,
};
