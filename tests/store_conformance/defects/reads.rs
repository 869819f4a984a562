//! Defects of reading.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use tokio::task::yield_now;
use tower_breaker::{
    ServiceName,
    store::{Cursor, Loaded, MemoryStore, StateStore, Stored},
};

use crate::broken::{Answer, Defect};

/// Remembers what it has read once, however others change it.
#[derive(Debug, Default)]
pub(crate) struct StaleRead(Mutex<HashMap<ServiceName, Stored>>);

#[async_trait]
impl Defect for StaleRead {
    async fn load(&self, store: &MemoryStore, service: &ServiceName) -> Answer<Option<Stored>> {
        let known = self.0.lock().unwrap().get(service).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let found = store.load(service).await?;
        if let Some(stored) = &found {
            self.0.lock().unwrap().insert(service.clone(), stored.clone());
        }
        Ok(found)
    }
}

/// Reads the rows first and where it stands afterwards.
#[derive(Debug, Default)]
pub(crate) struct CursorAhead;

#[async_trait]
impl Defect for CursorAhead {
    async fn load_all(&self, store: &MemoryStore, since: Option<Cursor>) -> Answer<Loaded> {
        let mut loaded = store.load_all(since).await?;
        yield_now().await;
        loaded.cursor = store.load_all(Some(loaded.cursor)).await?.cursor;
        Ok(loaded)
    }
}

/// Leaves out tombstones when it is asked for changes.
#[derive(Debug, Default)]
pub(crate) struct NoRemovals;

#[async_trait]
impl Defect for NoRemovals {
    async fn load_all(&self, store: &MemoryStore, since: Option<Cursor>) -> Answer<Loaded> {
        let mut loaded = store.load_all(since).await?;
        if since.is_some() {
            loaded.stored.retain(|stored| matches!(stored, Stored::Record(_)));
        }
        Ok(loaded)
    }
}
