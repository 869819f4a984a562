//! Reads what others did.

use std::collections::HashSet;

use ahash::RandomState;

use super::{
    coordinator::{Coordinator, ONE_BY_ONE, Reload},
    follow::Absorbed,
};
use crate::{breaker::ServiceName, store::StoreError};

impl Coordinator {
    pub(super) async fn pass(&mut self) -> Result<(), StoreError> {
        if self.hinted.len() > ONE_BY_ONE {
            self.reload = self.reload.max(Reload::Changes);
        }
        if self.reload > Reload::No {
            self.read().await?;
        }
        for service in std::mem::take(&mut self.hinted) {
            match self.shared.in_time("load", self.shared.store.load(&service)).await {
                Ok(Some(stored)) => {
                    self.shared.absorb(stored, self.backlogs.get(&service));
                }
                Ok(None) => self.lost(std::iter::once(service)),
                Err(error @ StoreError::Corrupt { .. }) => self.shared.complain(&error),
                Err(error) => {
                    self.reload = self.reload.max(Reload::Changes);
                    return Err(error);
                }
            }
        }
        self.settle_all().await?;
        self.probe().await
    }

    /// Reads all records, or those that changed.
    pub(super) async fn read(&mut self) -> Result<(), StoreError> {
        let all = self.reload == Reload::All || self.cursor.is_none();
        let since = if all { None } else { self.cursor };
        let loaded = self.shared.in_time("load_all", self.shared.store.load_all(since)).await?;
        for error in &loaded.corrupt {
            self.shared.complain(error);
        }
        if all {
            self.shared.complaints.read_but_for(&loaded.corrupt);
        }
        let mut missing: HashSet<_, RandomState> =
            if all { self.shared.mirror.names().into_iter().collect() } else { HashSet::default() };
        let mut older = 0;
        for stored in loaded.stored {
            missing.remove(stored.service());
            let backlog = self.backlogs.get(stored.service());
            older += usize::from(self.shared.absorb(stored, backlog) == Absorbed::WentBack);
        }
        if older > 0 {
            tracing::warn!(
                circuits = older,
                "circuit breaker: the store has older records than before; this process puts back \
                 what it knows"
            );
        }
        if loaded.corrupt.is_empty() {
            self.lost(missing.into_iter());
        }
        self.cursor = Some(loaded.cursor);
        self.reload = Reload::No;
        self.hinted.clear();
        Ok(())
    }

    /// The store has nothing of circuits that it had something of, and no tombstones either.
    pub(super) fn lost(&self, services: impl Iterator<Item = ServiceName>) {
        let mut lost = 0;
        for service in services {
            if self.shared.mirror.lose(&service) {
                self.shared.dirty.mark(&service);
                lost += 1;
            }
        }
        if lost > 0 {
            tracing::warn!(
                circuits = lost,
                "circuit breaker: the store lost records; this process puts back what it knows"
            );
        }
    }
}
