//! The tables of [tower-breaker](https://docs.rs/tower-breaker) in SQLite and Postgres.
//!
//! [`Migrator`] is a [`MigratorTrait`](sea_orm_migration::MigratorTrait) as sea-orm's own
//! conventions have it, so an application that has migrations of its own calls it beside them:
//!
//! ```no_run
//! # use sea_orm_migration::{DbErr, MigratorTrait, sea_orm::DatabaseConnection};
//! # async fn example(db: DatabaseConnection) -> Result<(), DbErr> {
//! use tower_breaker_migration::Migrator;
//!
//! Migrator::up(&db, None).await?;
//! # Ok(())
//! # }
//! ```
//!
//! It touches nothing but the tables whose names begin with `circuit_breaker_`, and notes what it has
//! done in [a table of its own](MIGRATION_TABLE), never in the application's. Any number of processes
//! may run it at the same time.
//!
//! There is a program too:
//!
//! ```sh
//! cargo install tower-breaker-migration --features cli
//! tower-breaker-migration -u sqlite://breakers.db up
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

mod lock;
mod m20261122_000001_create;
mod migrator;

pub use self::migrator::{MIGRATION_TABLE, Migrator};

use sea_orm_migration::{DbErr, sea_orm::DbBackend};

fn unsupported(backend: DbBackend) -> DbErr {
    DbErr::BackendNotSupported { db: backend.as_str(), ctx: "tower-breaker-migration" }
}
