//! What creates and drops the tables.

use sea_orm_migration::{
    DbErr, IntoSchemaManagerConnection, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DynIden, Statement},
    sea_query::{Alias, IntoIden},
};

use crate::{lock, m20261122_000001_create::Create};

/// The table that says which migrations were applied.
pub const MIGRATION_TABLE: &str = "circuit_breaker_migrations";

/// Creates, changes and drops the tables.
///
/// Each of [`up`](MigratorTrait::up), [`down`](MigratorTrait::down), [`fresh`](MigratorTrait::fresh),
/// [`refresh`](MigratorTrait::refresh) and [`reset`](MigratorTrait::reset) is one transaction that
/// waits for others to end: all of it happens or nothing. On Postgres a future of theirs should not
/// be dropped half-way when the connection comes from a pool that goes on being used.
///
/// All of them fail with [`DbErr::Migration`] where a newer version of this crate has been at the
/// database.
#[derive(Clone, Copy, Debug, Default)]
pub struct Migrator;

impl Migrator {
    /// The migrations that a database lacks: all of them if it has none of the tables, none if it is
    /// as this version of the crate needs it. Only reads.
    ///
    /// # Errors
    ///
    /// [`DbErr::Migration`] if the database is newer than this crate, else what the database says.
    pub async fn pending<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
        let applied = if has_migration_table(db).await? { applied(db).await? } else { Vec::new() };
        refuse_newer(&applied)?;
        let mut pending = names();
        pending.retain(|name| !applied.contains(name));
        Ok(pending)
    }
}

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        migrations()
    }

    fn migration_table_name() -> DynIden {
        Alias::new(MIGRATION_TABLE).into_iden()
    }

    async fn up<'c, C>(db: C, steps: Option<u32>) -> Result<(), DbErr>
    where
        C: IntoSchemaManagerConnection<'c>,
    {
        let transaction = begin(db).await?;
        Unlocked::up(&transaction, steps).await?;
        transaction.commit().await
    }

    async fn down<'c, C>(db: C, steps: Option<u32>) -> Result<(), DbErr>
    where
        C: IntoSchemaManagerConnection<'c>,
    {
        let transaction = begin(db).await?;
        Unlocked::down(&transaction, steps).await?;
        transaction.commit().await
    }

    /// Drops the tables of this crate, and no others, and creates them again.
    async fn fresh<'c, C>(db: C) -> Result<(), DbErr>
    where
        C: IntoSchemaManagerConnection<'c>,
    {
        let transaction = begin(db).await?;
        // What an interrupted hand has left is dropped too.
        for migration in migrations().iter().rev() {
            let manager = SchemaManager::new(&transaction);
            migration.down(&manager).await?;
        }
        Unlocked::uninstall(&transaction).await?;
        Unlocked::up(&transaction, None).await?;
        transaction.commit().await
    }

    async fn refresh<'c, C>(db: C) -> Result<(), DbErr>
    where
        C: IntoSchemaManagerConnection<'c>,
    {
        let transaction = begin(db).await?;
        Unlocked::refresh(&transaction).await?;
        transaction.commit().await
    }

    /// Drops the tables of this crate, and the one that says which migrations were applied.
    async fn reset<'c, C>(db: C) -> Result<(), DbErr>
    where
        C: IntoSchemaManagerConnection<'c>,
    {
        let transaction = begin(db).await?;
        Unlocked::reset(&transaction).await?;
        transaction.commit().await
    }
}

/// The same without the lock.
#[derive(Debug)]
struct Unlocked;

impl MigratorTrait for Unlocked {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        migrations()
    }

    fn migration_table_name() -> DynIden {
        Migrator::migration_table_name()
    }
}

fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(Create)]
}

fn names() -> Vec<String> {
    migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

async fn begin<'c, C>(db: C) -> Result<DatabaseTransaction, DbErr>
where
    C: IntoSchemaManagerConnection<'c>,
{
    let transaction = lock::begin(&db.into_database_executor()).await?;
    Unlocked::install(&transaction).await?;
    refuse_newer(&applied(&transaction).await?)?;
    Ok(transaction)
}

async fn applied<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    let select = format!("SELECT version FROM {MIGRATION_TABLE} ORDER BY version");
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), select)).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

async fn has_migration_table<C: ConnectionTrait>(db: &C) -> Result<bool, DbErr> {
    let backend = db.get_database_backend();
    let select = match backend {
        DbBackend::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
        DbBackend::Postgres => "SELECT 1 WHERE to_regclass($1) IS NOT NULL",
        other => return Err(crate::unsupported(other)),
    };
    let select = Statement::from_sql_and_values(backend, select, [MIGRATION_TABLE.into()]);
    Ok(db.query_one_raw(select).await?.is_some())
}

fn refuse_newer(applied: &[String]) -> Result<(), DbErr> {
    let known = names();
    match applied.iter().find(|version| !known.contains(version)) {
        None => Ok(()),
        Some(version) => Err(DbErr::Migration(format!(
            "the circuit_breaker tables are newer than this version of tower-breaker: it does not \
             know migration `{version}`; run a version that does"
        ))),
    }
}
