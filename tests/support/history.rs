//! What a journal writes of the calls of a breaker.

use std::{sync::Arc, time::Duration};

use tower_breaker::{
    Breaker,
    journal::{Journal, JournalOptions},
    store::{EventKind, EventQuery, HistoryStore, MemoryStore, RunId},
};

use super::shared::plain;

/// A breaker that does not open, and the journal that is told of it.
pub(crate) struct History {
    store: MemoryStore,
    journal: Journal,
    pub(crate) breaker: Breaker,
}

impl History {
    pub(crate) fn new() -> Self {
        let store = MemoryStore::new();
        let history = Arc::new(store.clone());
        let (journal, writer) =
            Journal::new(JournalOptions::new(), history, RunId::random()).unwrap();
        tokio::spawn(writer.run(std::future::pending()));
        let breaker = Breaker::builder("upstream")
            .settings(plain().failure_threshold(1_000).build().unwrap())
            .observer(journal.observer())
            .build()
            .unwrap();
        Self { store, journal, breaker }
    }

    /// Waits for so many failures, and returns their error types and messages in order.
    pub(crate) async fn failures(&self, count: u64) -> Vec<(String, String)> {
        super::net::eventually(&self.breaker, |seen| seen.failed >= count).await;
        let unwritten = self.journal.flush(Duration::from_secs(10)).await;
        assert!(unwritten.is_nothing(), "{unwritten:?}");
        let mut query = EventQuery::all();
        query.kinds = vec![EventKind::Failure];
        let mut events = self.store.events(&query).await.unwrap().items;
        events.sort_by_key(|event| event.id);
        assert_eq!(events.len() as u64, count);
        let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        events.into_iter().map(|it| (text(it.error_type), text(it.error_message))).collect()
    }
}
