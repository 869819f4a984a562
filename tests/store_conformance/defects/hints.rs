//! Defects of hints.

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tower_breaker::{
    ServiceName,
    store::{ChangeHint, MemoryStore, StateStore, Stored},
};

use crate::broken::Defect;

/// Does not say that there may have been changes before.
#[derive(Debug, Default)]
pub(crate) struct NoResync;

impl Defect for NoResync {
    fn watch(&self, store: &MemoryStore) -> BoxStream<'static, ChangeHint> {
        store.watch().skip(1).boxed()
    }
}

/// Says nothing of one change in ten.
#[derive(Debug, Default)]
pub(crate) struct SomeDropped;

impl Defect for SomeDropped {
    fn watch(&self, store: &MemoryStore) -> BoxStream<'static, ChangeHint> {
        let numbered = store.watch().zip(stream::iter(0_u32..));
        numbered.filter_map(async |(hint, number)| (number % 10 != 9).then_some(hint)).boxed()
    }
}

/// Says nothing of removals.
#[derive(Debug, Default)]
pub(crate) struct NoRemovals;

impl Defect for NoRemovals {
    fn watch(&self, store: &MemoryStore) -> BoxStream<'static, ChangeHint> {
        let watched = store.clone();
        let hints = store.watch().filter_map(move |hint| {
            let store = watched.clone();
            async move {
                match &hint {
                    ChangeHint::Changed(service) => {
                        (!is_removed(&store, service).await).then_some(hint)
                    }
                    _ => Some(hint),
                }
            }
        });
        hints.boxed()
    }
}

async fn is_removed(store: &MemoryStore, service: &ServiceName) -> bool {
    matches!(store.load(service).await, Ok(Some(Stored::Tombstone(_))))
}
