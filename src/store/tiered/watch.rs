//! The hints of two tiers as one stream.

use std::{collections::HashSet, sync::Arc};

use ahash::RandomState;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::broadcast::error::RecvError;

use super::{recover, rule::Tier, shared::Shared};
use crate::{name::ServiceName, store::ChangeHint};

/// How many hints of the cache are remembered, to know those of the durable store that say the same.
const REMEMBERED: usize = 4096;

/// Where a hint comes from.
enum Heard {
    From(Tier, ChangeHint),
    /// A tier went away or came back.
    Turn,
}

/// The hints of the cache, which is written first. One of the durable store that the cache did not
/// give is of a write that the cache has not got: it is passed on, and the cache is brought up.
struct Watcher {
    shared: Arc<Shared>,
    heard: BoxStream<'static, Heard>,
    given: HashSet<ServiceName, RandomState>,
}

impl Watcher {
    async fn next(&mut self) -> Option<ChangeHint> {
        loop {
            match self.heard.next().await? {
                Heard::Turn => {
                    self.given.clear();
                    return Some(ChangeHint::Resync);
                }
                Heard::From(Tier::Cache, hint) => {
                    if let ChangeHint::Changed(service) = &hint {
                        if self.given.len() >= REMEMBERED {
                            self.given.clear();
                        }
                        self.given.insert(service.clone());
                    }
                    return Some(hint);
                }
                Heard::From(Tier::Durable, hint) => match hint {
                    ChangeHint::Changed(service) => {
                        if !self.given.remove(&service) {
                            if !self.shared.any_down() {
                                recover::settle_soon(&self.shared, [service.clone()]);
                            }
                            return Some(ChangeHint::Changed(service));
                        }
                    }
                    hint => {
                        if self.shared.is_down(Tier::Cache) {
                            return Some(hint);
                        }
                    }
                },
            }
        }
    }
}

pub(super) fn watch(shared: &Arc<Shared>) -> BoxStream<'static, ChangeHint> {
    let of = |tier: Tier| {
        // It is the first of this stream that says it.
        let hints = shared.side(tier).store.watch().enumerate();
        let hints = hints.filter_map(|(nth, hint)| async move {
            (nth > 0 || hint != ChangeHint::Resync).then_some(hint)
        });
        hints.map(move |hint| Heard::From(tier, hint)).boxed()
    };
    let turns =
        stream::unfold(shared.turns.subscribe(), async |mut turns| match turns.recv().await {
            Ok(()) | Err(RecvError::Lagged(_)) => Some((Heard::Turn, turns)),
            Err(RecvError::Closed) => None,
        });
    let heard = stream::select_all([of(Tier::Cache), of(Tier::Durable), turns.boxed()]).boxed();
    // The stream does not end, so it keeps what sends.
    let watcher = Watcher { shared: Arc::clone(shared), heard, given: HashSet::default() };
    let hints = stream::unfold(watcher, async |mut watcher| {
        watcher.next().await.map(|hint| (hint, watcher))
    });
    stream::iter([ChangeHint::Resync]).chain(hints).boxed()
}
