//! The rules of the fleet through all interleavings of a few processes with what can go wrong. Each
//! known broken rule is rejected, by the invariant that is meant for it.

#[path = "../../../tests/interleavings/explore.rs"]
mod explore;
mod leases;
mod quorums;
