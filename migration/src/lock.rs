//! One migrator at a time.

use sea_orm_migration::{
    DbErr, SchemaManagerConnection,
    sea_orm::{
        ConnectionTrait, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement,
        TransactionOptions, TransactionTrait,
    },
};

/// The key of the advisory lock on Postgres: "brkr" and a number.
const LOCK: i64 = 0x6272_6b72_0000_0001;

/// Begins a transaction that no other migrator can begin at the same time: two that both find the
/// tables missing would both create them.
pub(crate) async fn begin(db: &SchemaManagerConnection<'_>) -> Result<DatabaseTransaction, DbErr> {
    match db.get_database_backend() {
        DbBackend::Sqlite => {
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            db.begin_with_options(options).await
        }
        backend @ DbBackend::Postgres => {
            let transaction = db.begin().await?;
            transaction
                .execute_raw(Statement::from_sql_and_values(
                    backend,
                    "SELECT pg_advisory_xact_lock($1)",
                    [LOCK.into()],
                ))
                .await?;
            Ok(transaction)
        }
        other => Err(crate::unsupported(other)),
    }
}
