//! Removes what nobody needs any more.

use super::{
    coordinator::{Coordinator, SWEEP},
    settle::KEYED,
};
use crate::{
    circuit::State,
    store::{Expected, Lane, StoreError},
};

impl Coordinator {
    /// Removes keyed circuits that are closed and idle, and forgets those removed long ago. What
    /// fails is done the next time.
    pub(super) async fn sweep(&self) {
        let now = self.shared.clock.now();
        let idle = self.shared.mirror.select(SWEEP.1, |known| {
            let record = known.record()?;
            let age = known.adoption(now).elapsed;
            let keyed = record.extra.contains_key(KEYED);
            let at_rest = record.state.state == State::Closed
                && record.override_.value.is_none()
                && record.settings.changes.is_empty();
            (keyed && at_rest && age >= self.shared.options.keyed_idle).then(|| record.clone())
        });
        for record in idle {
            let expected = Expected::version(Lane::State, record.state.version);
            let removed = self.shared.store.remove(&record.service, expected);
            match self.shared.in_time("remove", removed).await {
                Ok(()) => {
                    let removed = self.shared.store.load(&record.service);
                    if let Ok(Some(stored)) = self.shared.in_time("load", removed).await {
                        self.shared.absorb(stored, None);
                    }
                }
                Err(StoreError::Conflict { current: Some(current) }) => {
                    self.shared.absorb(*current, self.backlogs.get(&record.service));
                }
                Err(_) => return,
            }
        }
        let age = self.shared.options.tombstones;
        // Every process knows of every tombstone: where there is none, no store has to look.
        if !self.shared.mirror.has_tombstones(age, now) {
            return;
        }
        let forgotten = self.shared.store.forget_tombstones(age, 1000);
        // What is left is forgotten the next time.
        if self.shared.in_time("forget_tombstones", forgotten).await.is_ok() {
            self.shared.mirror.forget_tombstones(age, now);
        }
    }
}
