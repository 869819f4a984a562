//! The peers, each in its best way of use, with settings as near to this crate's as it has them.

pub mod circuitbreaker_rs;
pub mod failsafe;
pub mod recloser;
pub mod seatbelt;
pub mod tower_resilience;

use std::time::Duration;

use crate::subject::Visitor;

/// How long circuits stay open: longer than any run.
pub const LONG: Duration = Duration::from_secs(3600);

/// The time window.
pub const WINDOW: Duration = Duration::from_secs(10);

/// A call that takes this long is slow.
pub const SLOW: Duration = Duration::from_secs(1);

/// Shows every peer.
pub fn visit(visitor: &mut impl Visitor) {
    tower_resilience::visit(visitor);
    recloser::visit(visitor);
    failsafe::visit(visitor);
    seatbelt::visit(visitor);
    circuitbreaker_rs::visit(visitor);
}

/// Shows one configuration of each peer, one that failures open at once.
pub fn one_each(visitor: &mut impl Visitor) {
    visitor.visit(&tower_resilience::CONSECUTIVE);
    recloser::visit(visitor);
    visitor.visit(&failsafe::CONSECUTIVE);
    seatbelt::visit(visitor);
    circuitbreaker_rs::visit(visitor);
}
