//! Creates the tables.

use sea_orm_migration::{
    DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend},
};

/// Creates the tables. They are written as SQL, a file for each database, since what matters of them
/// (strict types, partial indexes, generated columns) is not the same in both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Create;

/// The tables, in the order that they are dropped in.
const TABLES: &[&str] = &[
    "circuit_breaker_states",
    "circuit_breaker_cursor",
    "circuit_breaker_events",
    "circuit_breaker_metrics",
    "circuit_breaker_failure_patterns",
    "circuit_breaker_alerts",
    "circuit_breaker_silences",
    "circuit_breaker_leases",
    "circuit_breaker_instances",
];

impl MigrationName for Create {
    fn name(&self) -> &'static str {
        "m20261122_000001_create"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Create {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = match manager.get_database_backend() {
            DbBackend::Sqlite => include_str!("m20261122_000001_create.sqlite.sql"),
            DbBackend::Postgres => include_str!("m20261122_000001_create.postgres.sql"),
            other => return Err(crate::unsupported(other)),
        };
        manager.get_connection().execute_unprepared(tables).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            let drop = format!("DROP TABLE IF EXISTS {table}");
            manager.get_connection().execute_unprepared(&drop).await?;
        }
        Ok(())
    }
}
