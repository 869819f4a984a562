//! The leases that this process holds.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ahash::RandomState;

use super::lease::Held;
use crate::{breaker::ServiceName, store::Lease};

/// The leases that this process holds, as far as it knows.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<HashMap<ServiceName, Held, RandomState>>);

impl Leases {
    pub(super) fn insert(&self, service: &ServiceName, held: Held) {
        self.lock().insert(service.clone(), held);
    }

    /// The token of the lease on that circuit's round, which is not held any more: its round is over.
    pub(super) fn take(&self, service: &ServiceName) -> Option<u64> {
        self.lock().remove(service).map(|held| held.lease.token)
    }

    /// Forgets the lease on a round that a change of the circuit ended, unless it was taken since: to
    /// outwait another process's round is such a change, and the lease that follows is not its end.
    pub(super) fn forget_before(&self, service: &ServiceName, generation: u64) {
        let mut held = self.lock();
        if held.get(service).is_some_and(|held| held.taken_in < generation) {
            held.remove(service);
        }
    }

    pub(super) fn get(&self, service: &ServiceName) -> Option<Held> {
        self.lock().get(service).cloned()
    }

    /// Notes that a lease was renewed. Returns whether it is still held.
    pub(super) fn renewed(&self, service: &ServiceName, renewed: &Held) -> bool {
        let mut held = self.lock();
        match held.get_mut(service) {
            Some(held) if held.lease.token == renewed.lease.token => {
                *held = renewed.clone();
                true
            }
            _ => false,
        }
    }

    /// Forgets a lease, unless it is another one by now.
    pub(super) fn forget(&self, service: &ServiceName, lease: &Lease) {
        let mut held = self.lock();
        if held.get(service).is_some_and(|held| held.lease.token == lease.token) {
            held.remove(service);
        }
    }

    pub(super) fn services(&self) -> Vec<ServiceName> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServiceName, Held, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
