//! The handle that says what goes wrong.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::{
    fault::{Effect, Fault},
    operation::Operation,
};

/// What goes wrong with the calls of a [`FaultyStore`](super::FaultyStore), and how many calls there
/// were. Cheap to clone; clones are one handle, and several stores may share it.
#[derive(Clone, Debug)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    plan: Mutex<Plan>,
    /// Moves when what goes wrong is changed.
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct Plan {
    faults: HashMap<Operation, Fault>,
    calls: HashMap<Operation, u64>,
    faulted: HashMap<Operation, u64>,
    random: fastrand::Rng,
}

impl Faults {
    /// Nothing goes wrong. What is drawn at random is the same in every run.
    #[must_use]
    pub fn new() -> Self {
        Self::with_seed(0)
    }

    /// The same with another seed.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        let plan = Plan {
            faults: HashMap::new(),
            calls: HashMap::new(),
            faulted: HashMap::new(),
            random: fastrand::Rng::with_seed(seed),
        };
        let (plan, changes) = (Mutex::new(plan), watch::Sender::new(()));
        Self { shared: Arc::new(Shared { plan, changes }) }
    }

    /// From now on this goes wrong with an operation, in place of what did.
    pub fn set(&self, operation: Operation, fault: Fault) {
        self.change(|plan| {
            plan.faults.insert(operation, fault);
        });
    }

    /// From now on this goes wrong with every operation, in place of what did.
    pub fn set_all(&self, fault: Fault) {
        self.change(|plan| {
            plan.faults.extend(Operation::ALL.iter().map(|operation| (*operation, fault)));
        });
    }

    /// From now on nothing goes wrong with an operation. Calls that hang are not answered.
    pub fn clear(&self, operation: Operation) {
        self.change(|plan| {
            plan.faults.remove(&operation);
        });
    }

    /// From now on nothing goes wrong. Calls that hang are not answered.
    pub fn clear_all(&self) {
        self.change(|plan| plan.faults.clear());
    }

    /// How often an operation was called.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> u64 {
        self.plan().calls.get(&operation).copied().unwrap_or_default()
    }

    /// How often something went wrong with it. Of [`Operation::Watch`]: how many hints were delayed
    /// or lost.
    #[must_use]
    pub fn faulted(&self, operation: Operation) -> u64 {
        self.plan().faulted.get(&operation).copied().unwrap_or_default()
    }

    /// Counts a call.
    pub(super) fn count(&self, operation: Operation) {
        *self.plan().calls.entry(operation).or_default() += 1;
    }

    /// What goes wrong this time.
    pub(super) fn draw(&self, operation: Operation) -> Option<Fault> {
        let plan = &mut *self.plan();
        let fault = plan.faults.get_mut(&operation).filter(|fault| fault.times != Some(0))?;
        if plan.random.f64() >= fault.probability {
            return None;
        }
        fault.times = fault.times.map(|times| times.saturating_sub(1));
        *plan.faulted.entry(operation).or_default() += 1;
        Some(*fault)
    }

    pub(super) fn loses_hints(&self) -> bool {
        let plan = self.plan();
        let fault = plan.faults.get(&Operation::Watch).filter(|fault| fault.times != Some(0));
        fault.is_some_and(|fault| fault.effect != Effect::None)
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.shared.changes.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.plan());
        self.shared.changes.send_replace(());
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.shared.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::new()
    }
}
