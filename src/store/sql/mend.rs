//! What helps where a SQLite file was taken away, damaged or closed to writers.

use std::sync::Arc;

use sea_orm::DatabaseConnection;
use sea_orm_migration::MigratorTrait as _;
use tower_breaker_migration::Migrator;

use super::{failure::Failure, same_file::SameFile};

/// Does what can be done about a failure, once an operation.
#[derive(Debug)]
pub(super) struct Mender {
    pub(super) writer: DatabaseConnection,
    pub(super) file: Option<Arc<SameFile>>,
    pub(super) creates_tables: bool,
}

impl Mender {
    /// Returns whether it is worth another try.
    pub(super) async fn mends(&mut self, failure: &Failure) -> bool {
        if failure.is_missing_table() {
            // The file is a new one.
            let creates = std::mem::take(&mut self.creates_tables);
            return creates && Migrator::up(&self.writer, None).await.is_ok();
        }
        match self.file.take_if(|_| failure.is_of_the_file()) {
            Some(file) => {
                file.open_anew();
                true
            }
            None => false,
        }
    }
}
