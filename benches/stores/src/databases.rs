//! Databases that nothing is in.

use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;
use tower_breaker::store::sql::{Durability, SqlStore};

use crate::Result;

pub(crate) fn postgres_url() -> Option<String> {
    std::env::var("TOWER_BREAKER_POSTGRES_URL").ok()
}

/// A SQLite file in a folder that is removed with it.
pub(crate) struct Sqlite {
    folder: TempDir,
}

impl Sqlite {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { folder: tempfile::tempdir()? })
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("bench.db")
    }

    pub(crate) async fn store(&self, durability: Durability) -> Result<SqlStore> {
        let url = format!("sqlite://{}?mode=rwc", self.path().display());
        Ok(SqlStore::builder(url).durability(durability).migrate(true).connect().await?)
    }
}

/// A database of its own on the server. It stays there: the server is thrown away.
pub(crate) async fn postgres(url: &str) -> Result<(SqlStore, String)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("bench_{}_{number}", std::process::id());
    let server = Database::connect(url).await?;
    server.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = base.rsplit_once('/').ok_or("the URL has no database")?;
    let url = format!("{server}/{name}?{query}");
    Ok((SqlStore::builder(url.clone()).migrate(true).connect().await?, url))
}
