//! What the database says, in the words of the crate.

use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, error::DatabaseError},
};

use crate::store::StoreError;

/// What to do about tables that are missing.
pub(super) const MIGRATE: &str = "create them with `SqlStore::migrate()` or with \
                                  `tower-breaker-migration -u URL up`";

/// Why an attempt at something failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database says so.
    Database(DbErr),
    /// We do.
    Store(StoreError),
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(DbErr::Exec(RuntimeErr::SqlxError(error.into())))
    }
}

impl Failure {
    /// Whether the same may work in a moment: somebody else holds a lock.
    pub(super) fn is_busy(&self) -> bool {
        self.code().is_some_and(|code| {
            let sqlite = code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6));
            (code.len() < 5 && sqlite) || matches!(&*code, "40001" | "40P01")
        })
    }

    /// Whether a column was given nothing that must have something: a run without an instance.
    #[cfg(feature = "postgres")]
    pub(super) fn is_missing_value(&self) -> bool {
        self.code().is_some_and(|code| code == "23502")
    }

    /// Whether SQLite says that a table is missing.
    #[cfg(feature = "sqlite")]
    pub(super) fn is_missing_table(&self) -> bool {
        let Self::Database(error) = self else { return false };
        database_error(error).is_some_and(|error| error.message().contains("no such table"))
    }

    /// Whether SQLite may do better with a connection that is new: it cannot write, read or open the
    /// file, or finds that it is damaged.
    #[cfg(feature = "sqlite")]
    pub(super) fn is_of_the_file(&self) -> bool {
        let code = self.code().and_then(|code| code.parse::<u32>().ok());
        code.is_some_and(|code| matches!(code & 0xff, 8 | 10 | 11 | 14 | 26))
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Database(error) => database_error(error)?.code(),
            Self::Store(_) => None,
        }
    }

    pub(super) fn at(self, operation: &'static str) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Database(error) => store_error(operation, error),
        }
    }
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

fn database_error(error: &DbErr) -> Option<&dyn DatabaseError> {
    match sqlx_error(error)? {
        sqlx::Error::Database(error) => Some(&**error),
        _ => None,
    }
}

/// The error of an operation. None of the databases repeats a password in what it says.
pub(super) fn store_error(operation: &'static str, error: DbErr) -> StoreError {
    if let DbErr::Migration(problem) = error {
        return StoreError::Schema { problem };
    }
    let Some(said) = database_error(&error) else {
        return StoreError::unavailable(operation, error);
    };
    let message = said.message();
    match said.code().as_deref() {
        // Postgres: undefined table, undefined column, invalid schema name.
        Some("42P01" | "42703" | "3F000") => schema(message),
        // SQLite has one code for all that is wrong with a statement.
        Some("1") if message.contains("no such table") || message.contains("no such column") => {
            schema(message)
        }
        // Postgres: wrong password, no such role, no such database, no right to do that.
        Some("28P01" | "28000" | "3D000" | "42501") => {
            StoreError::Configuration { problem: message.to_owned() }
        }
        // SQLite: the file is damaged, or is no database.
        Some("11" | "26") => StoreError::corrupt("the database file", "-", message),
        _ => StoreError::unavailable(operation, error),
    }
}

fn schema(message: &str) -> StoreError {
    StoreError::Schema {
        problem: format!(
            "the circuit_breaker tables are missing or too old ({message}): {MIGRATE}"
        ),
    }
}
