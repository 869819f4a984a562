//! Defects of compare-and-swap and removal.

use std::time::Duration;

use async_trait::async_trait;
use tokio::task::yield_now;
use tower_breaker::{
    ServiceName,
    store::{
        CircuitRecord, Committed, EventRecord, Expected, Lane, MemoryStore, StateStore, StoreError,
        Stored, Timestamp,
    },
};

use crate::broken::{Answer, Defect};

fn taken(next: &CircuitRecord, lane: Lane) -> Answer<Committed> {
    Ok(Committed::new(next.version(lane), Timestamp::EPOCH))
}

macro_rules! writes {
    ($(#[$doc:meta])* $defect:ident, |$store:ident, $expected:ident, $next:ident, $event:ident| $body:expr) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $defect;

        #[async_trait]
        impl Defect for $defect {
            async fn compare_and_swap(
                &self,
                $store: &MemoryStore,
                $expected: Expected,
                $next: &CircuitRecord,
                $event: Option<&EventRecord>,
            ) -> Answer<Committed> {
                $body
            }
        }
    };
}

writes! {
    /// Looks whether the version is right, and writes later: who loses then is told that he won.
    LostUpdate, |store, expected, next, event| {
        let found = store.load(&next.service).await?;
        if Expected::found(expected.lane, found.as_ref()) != expected {
            return Err(StoreError::conflict(found));
        }
        yield_now().await;
        match store.compare_and_swap(expected, next, event).await {
            Err(StoreError::Conflict { .. }) => taken(next, expected.lane),
            answer => answer,
        }
    }
}

writes! {
    /// Takes versions that are not above the last one.
    VersionReuse, |store, expected, next, event| {
        match store.compare_and_swap(expected, next, event).await {
            Err(StoreError::Invalid { field: "version", .. }) => taken(next, expected.lane),
            answer => answer,
        }
    }
}

writes! {
    /// Acknowledges changes of settings and does not write them.
    NotWritten, |store, expected, next, event| {
        let found = store.load(&next.service).await?;
        let right = Expected::found(expected.lane, found.as_ref()) == expected;
        if right && expected.lane == Lane::Settings && expected.version.is_some() {
            return taken(next, expected.lane);
        }
        store.compare_and_swap(expected, next, event).await
    }
}

writes! {
    /// Writes all lanes of the proposal.
    WholeRecord, |store, expected, next, event| {
        let committed = store.compare_and_swap(expected, next, event).await?;
        for lane in Lane::ALL.into_iter().filter(|lane| *lane != expected.lane) {
            let found = store.load(&next.service).await?;
            let others = Expected::found(lane, found.as_ref());
            // One that is older than what is there stays out.
            let _ = store.compare_and_swap(others, next, None).await;
        }
        Ok(committed)
    }
}

writes! {
    /// Refuses a write when any lane has changed since the write began.
    OneVersion, |store, expected, next, event| {
        let before = store.load(&next.service).await?;
        yield_now().await;
        let after = store.load(&next.service).await?;
        let versions = |stored: &Option<Stored>| {
            stored.as_ref().map(|stored| Lane::ALL.map(|lane| stored.version(lane)))
        };
        if versions(&before) != versions(&after) {
            return Err(StoreError::conflict(after));
        }
        store.compare_and_swap(expected, next, event).await
    }
}

writes! {
    /// Takes a circuit that is missing for one at version 0.0.
    MissingIsZero, |store, expected, next, event| {
        let found = store.load(&next.service).await?;
        let zero = expected.version.is_some_and(|version| version == Default::default());
        let expected = if found.is_none() && zero { Expected::missing(expected.lane) } else { expected };
        store.compare_and_swap(expected, next, event).await
    }
}

writes! {
    /// Does not say what is there when a write lost.
    EmptyConflict, |store, expected, next, event| {
        match store.compare_and_swap(expected, next, event).await {
            Err(StoreError::Conflict { .. }) => Err(StoreError::conflict(None)),
            answer => answer,
        }
    }
}

writes! {
    /// Does not say whose write is there when a write lost.
    NoChangeId, |store, expected, next, event| {
        match store.compare_and_swap(expected, next, event).await {
            Err(StoreError::Conflict { current: Some(current) }) => {
                Err(StoreError::conflict(current.record().map(|mut record| {
                    record.state.change_id = Default::default();
                    Stored::Record(record)
                })))
            }
            answer => answer,
        }
    }
}

writes! {
    /// Cuts what is too long instead of refusing it.
    Unchecked, |store, expected, next, event| {
        let mut next = next.clone();
        if let Some(reason) = &mut next.state.reason {
            reason.truncate(1024);
        }
        store.compare_and_swap(expected, &next, event).await
    }
}

macro_rules! removals {
    ($(#[$doc:meta])* $defect:ident, |$store:ident, $service:ident, $expected:ident| $body:expr) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $defect;

        #[async_trait]
        impl Defect for $defect {
            async fn remove(
                &self,
                $store: &MemoryStore,
                $service: &ServiceName,
                $expected: Expected,
            ) -> Answer<()> {
                $body
            }
        }
    };
}

removals! {
    /// Leaves nothing where a circuit was.
    ForgottenTombstone, |store, service, expected| {
        store.remove(service, expected).await?;
        store.forget_tombstones(Duration::ZERO, u32::MAX).await.map(|_| ())
    }
}

removals! {
    /// Removes whatever there is.
    RemovesAnyVersion, |store, service, expected| {
        let found = store.load(service).await?;
        store.remove(service, Expected::found(expected.lane, found.as_ref())).await
    }
}

removals! {
    /// Panics.
    PanickingRemoval, |_store, service, _expected| panic!("`{service}` cannot be removed")
}

writes! {
    /// Lets a circuit that was removed begin as if it had never been.
    VersionsBeginAgain, |store, expected, next, event| {
        let found = store.load(&next.service).await?;
        let removed = matches!(found, Some(Stored::Tombstone(_)));
        let expected = if removed && expected.version.is_none() {
            Expected::found(expected.lane, found.as_ref())
        } else {
            expected
        };
        store.compare_and_swap(expected, next, event).await
    }
}
