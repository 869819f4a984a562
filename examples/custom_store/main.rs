//! A store of one's own: circuits in a JSON file, held to the suite that every store has to pass.
//!
//! ```text
//! cargo run --example custom_store --features test-util
//! ```

mod book;
mod file_store;

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use tower_breaker::{
    ServiceName, State,
    circuit::Version,
    store::{
        CircuitRecord, Expected, Lane, StateStore,
        conformance::{self, Subject},
    },
};

use file_store::FileStore;

/// Makes stores for the suite: each in a file of its own, and openable twice.
struct Files {
    folder: PathBuf,
    made: AtomicU32,
}

#[async_trait]
impl Subject for Files {
    type Store = FileStore;

    async fn fresh(&self) -> FileStore {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        FileStore::open(self.folder.join(format!("{number}.json")))
    }

    async fn connect_again(&self, store: &FileStore) -> Option<FileStore> {
        Some(FileStore::open(store.path().to_owned()))
    }

    async fn damage(&self, store: &FileStore, service: &ServiceName) -> bool {
        store.scribble(service).is_ok()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("custom_store-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = run(&folder).await;
    std::fs::remove_dir_all(&folder)?;
    done
}

async fn run(folder: &Path) -> Result<(), Box<dyn Error>> {
    let files = Files { folder: folder.to_owned(), made: AtomicU32::new(0) };
    let report = conformance::state_store(files).await;
    print!("{report}");
    report.assert();

    let store = FileStore::open(folder.join("circuits.json"));
    let mut record = CircuitRecord::new(ServiceName::new("payments")?);
    record.state.version = Version::new(0, 1);
    record.state.state = State::Open;
    record.state.open_for = Duration::from_secs(60);
    record.state.reason = Some("failure_rate".to_owned());
    store.compare_and_swap(Expected::missing(Lane::State), &record, None).await?;
    println!("\n{}:\n{}", store.path().display(), std::fs::read_to_string(store.path())?);
    Ok(())
}
