//! Where a coordinator finds the circuits of its process.

use std::fmt::Debug;

use crate::{
    breaker::{Breaker, ServiceName},
    store::Extra,
};

/// The live circuits of a process.
pub(crate) trait Circuits: Debug + Send + Sync + 'static {
    /// The circuit of that name, if there is one. Makes none.
    fn find(&self, service: &ServiceName) -> Option<Found>;

    /// The names of all circuits.
    fn names(&self) -> Vec<ServiceName>;

    /// Puts live settings in force over those that the code has. Empty: those of the code alone.
    fn configure(&self, breaker: &Breaker, changes: &Extra);
}

/// A live circuit.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) breaker: Breaker,
    /// It is one of many whose names come from outside.
    pub(crate) keyed: bool,
}
