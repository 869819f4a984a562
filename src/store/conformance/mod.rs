//! What every store has to pass, for the authors of stores.
//!
//! One line in a test runs the suite:
//!
//! ```
//! use tower_breaker::store::{MemoryStore, conformance};
//!
//! # #[tokio::main]
//! # async fn main() {
//! conformance::all(|| async { MemoryStore::new() }).await.assert();
//! # }
//! ```
//!
//! [`state_store`], [`history_store`] and [`fleet_store`] check one trait each. A store that keeps
//! states and a history is checked by [`state_and_history`] too: whether an event is written if, and
//! only if, its change is. [`all`] does all of that.
//!
//! Each check has an empty store of its own, made by the [`Subject`]: a closure that makes one, or
//! the two closures of [`connected`], where several processes can open the same store. Then each
//! check works through two handles, and finds what one does not see of the other.
//!
//! The suite uses the public traits alone. Run it on a runtime with time enabled, better one with
//! several threads, so that races are real. Where time must pass, it is the store's: terms and ages
//! are a tenth of a second, and what must come at all is polled for up to ten seconds. Time may be
//! paused only if the store's clock is tokio's.
//!
//! A check that fails says what was expected and what was found. A suite cannot show that a store
//! has no defect: races are run until they are likely to show, not until they must.

mod bench;
mod fleet;
mod history;
mod report;
mod runner;
mod samples;
mod state;
mod subject;
mod suites;
mod verdict;

pub use self::{
    report::{Checked, Outcome, Report},
    subject::{Connected, Subject, connected},
    suites::{all, fleet_store, history_store, state_and_history, state_store},
};
