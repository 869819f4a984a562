//! A breaker that is looked at as long as somebody uses it.

use std::sync::{Arc, Weak};

use super::{Breaker, Handle};
use crate::circuit::State;

/// Points to a breaker without keeping it.
#[derive(Debug)]
pub(crate) struct WeakBreaker(Box<[Weak<Handle>]>);

impl WeakBreaker {
    /// The breaker, as long as a clone of it, a service or a call in flight is left.
    pub(crate) fn upgrade(&self) -> Option<Breaker> {
        self.0.iter().find_map(Weak::upgrade).map(Breaker::of)
    }
}

impl Breaker {
    /// Points to the breaker without keeping it.
    pub(crate) fn downgrade(&self) -> WeakBreaker {
        WeakBreaker(self.handle().all())
    }

    /// The state in force, without the lock: a change under way may not be in it yet.
    pub(crate) fn glance(&self) -> State {
        self.handle().circuit().gate().standing().state()
    }

    /// Whether both are one circuit.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.handle().circuit(), other.handle().circuit())
    }
}

impl Handle {
    /// The handles of the circuit.
    fn all(self: &Arc<Self>) -> Box<[Weak<Self>]> {
        self.siblings().map_or_else(|| [Arc::downgrade(self)].into(), Box::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_gone_with_the_last_one_that_uses_it() {
        let breaker = Breaker::builder("upstream").build().unwrap();
        let weak = breaker.downgrade();
        assert!(weak.upgrade().is_some_and(|found| found.is_same(&breaker)));
        breaker.force_open();
        assert_eq!(breaker.glance(), State::ForcedOpen);
        breaker.lift_override();

        let permit = breaker.try_acquire().unwrap();
        drop(breaker);
        assert!(weak.upgrade().is_some(), "a call in flight is left");
        drop(permit);
        assert!(weak.upgrade().is_none());
    }
}
