//! The atomics and locks of the live circuit, exchanged for loom's where loom explores them.

#[cfg(not(tower_breaker_loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

#[cfg(tower_breaker_loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Locks, and goes on after a panic elsewhere: of the code of the crate's users only a custom clock
/// runs under a lock, and what is behind one is whole whenever that is read.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
