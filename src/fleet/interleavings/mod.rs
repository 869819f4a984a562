//! The rules of the fleet through all interleavings of a few processes with what can go wrong. Each
//! known broken rule is rejected, by the invariant that is meant for it.

mod leases;
mod quorums;
mod world;
