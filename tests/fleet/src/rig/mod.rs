//! Servers, processes, and the ways between them: all that can be broken.

mod end;
mod faults;
mod fleet;
mod hear;
mod redis;

pub use self::{
    faults::{Away, Tier},
    fleet::{Rig, RigOptions},
};
