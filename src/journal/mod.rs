//! Writes what happens to circuits to a [`HistoryStore`](crate::store::HistoryStore), behind their
//! back: no call waits for it.
//!
//! A journal is a handle and a worker. Breakers get the handle's [observer](Journal::observer), which
//! puts failures, slow calls, probes, changed settings and panics into a bounded queue; breakers that
//! it [watches](Journal::watch) are counted into [metric buckets](crate::store::MetricBucket) of a
//! second, a minute and an hour. The [worker](Writer) writes both in batches.
//!
//! ```
//! # use tower_breaker::store::*;
//! use std::{sync::Arc, time::Duration};
//!
//! use tower_breaker::{
//!     Breaker,
//!     journal::{Journal, JournalOptions},
//!     store::RunId,
//! };
//!
//! # async fn example(store: Arc<dyn HistoryStore>) -> Result<(), Box<dyn std::error::Error>> {
//! let (journal, writer) = Journal::new(JournalOptions::new(), store, RunId::random())?;
//! let (stop, stopped) = tokio::sync::oneshot::channel();
//! let writing = tokio::spawn(writer.run(async { stopped.await.unwrap_or(Duration::ZERO) }));
//!
//! let breaker = Breaker::builder("payments").observer(journal.observer()).build()?;
//! journal.watch(&breaker);
//! // Calls go through the breaker.
//!
//! let _ = stop.send(Duration::from_secs(5));
//! let unwritten = writing.await?;
//! assert!(unwritten.is_nothing(), "{unwritten:?}");
//! # Ok(())
//! # }
//! ```
//!
//! ## What is kept when
//!
//! - Events that the store does not take wait: in memory, or in a [spill](SpillOptions) folder, which
//!   survives a crash. A write that failed is tried again with growing delays; since events have
//!   [ids](crate::store::EventId) and buckets have absolute figures, one that had been taken after
//!   all does nothing twice.
//! - When more events come than are written, they are sampled: the
//!   [weight](crate::store::EventRecord::weight) of an event says how many it stands for, and the sum
//!   of weights is exact. What finds no place at all is counted: see [`JournalStats`].
//! - A crash loses the events of one flush interval, and the seconds, ten seconds and minute of the
//!   buckets that had not been written. Buckets are not spilled.
//! - A failure has the type and the text of its error, as the [classifier](crate::classify) or whoever
//!   ends the permit describes it; the writer [redacts](JournalOptions::redact) and cuts them. Where
//!   events are merged, the newest one's are kept.
//! - Rejections are counted: one event a second and service says how many there were.
//! - What the store refuses for what is in it is left out and counted; the rest of its batch is
//!   written.

mod due;
mod handle;
mod meter;
mod observer;
mod options;
mod queue;
mod reading;
mod retention;
mod shared;
mod slot;
mod spill;
mod stats;
mod unwritten;
mod watched;
mod writer;

pub use self::{
    handle::{Journal, JournalError},
    observer::JournalObserver,
    options::{InvalidOptions, JournalOptions},
    retention::Retention,
    spill::{SpillError, SpillOptions},
    stats::JournalStats,
    unwritten::Unwritten,
    writer::Writer,
};
