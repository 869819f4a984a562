//! Statements for SQLite that run together: one way to the thread of the connection and back, however
//! many they are. That way costs more than most statements do.

use futures_util::TryStreamExt as _;
use sea_orm::{
    Value,
    sqlx::{
        Arguments as _, AssertSqlSafe, Either, Encode, Executor as _, Sqlite, SqliteConnection,
        Type, query_with,
        sqlite::{SqliteArguments, SqliteRow},
    },
};

use super::{failure::Failure, statement::Sql};
use crate::store::StoreError;

/// The text of statements, and what is bound to all of them.
#[derive(Clone, Debug)]
pub(super) struct Together {
    text: String,
    arguments: SqliteArguments,
    /// How many there are.
    statements: usize,
    transaction: bool,
}

/// What they did.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) rows: Vec<SqliteRow>,
    /// How many rows each statement wrote. One that cannot write says what the one before it said.
    changes: Vec<u64>,
}

impl Done {
    /// How many rows some of the statements wrote.
    pub(super) fn changes(&self, of: impl IntoIterator<Item = usize>) -> u64 {
        of.into_iter().filter_map(|statement| self.changes.get(statement)).sum()
    }
}

impl Together {
    /// One statement.
    pub(super) fn one(sql: Sql) -> Result<Self, StoreError> {
        let mut one = Self {
            text: String::new(),
            arguments: SqliteArguments::default(),
            statements: 0,
            transaction: false,
        };
        one.add(sql)?;
        Ok(one)
    }

    /// A transaction that holds the lock for writing from its beginning.
    pub(super) fn transaction() -> Self {
        Self {
            text: "BEGIN IMMEDIATE".to_owned(),
            arguments: SqliteArguments::default(),
            statements: 1,
            transaction: true,
        }
    }

    /// Adds a statement with its values, which has to be the only one that names its parameters.
    /// Returns which one it is.
    pub(super) fn add(&mut self, sql: Sql) -> Result<usize, StoreError> {
        let (text, values) = sql.into_parts();
        let statement = self.push(&text);
        self.arguments.reserve(values.len(), 0);
        for value in values {
            match value {
                Value::BigInt(value) => self.bind(value)?,
                Value::Int(value) => self.bind(value)?,
                Value::Double(value) => self.bind(value)?,
                Value::String(value) => self.bind(value)?,
                Value::Json(value) => self.bind(value.map(|json| json.to_string()))?,
                other => return Err(StoreError::invalid("value", format!("{other:?} is bound"))),
            }
        }
        Ok(statement)
    }

    /// Adds the text of a statement; [`bind`](Self::bind) gives it its values. Returns which one it
    /// is.
    pub(super) fn push(&mut self, text: &str) -> usize {
        if self.statements > 0 {
            self.text.push_str("; ");
        }
        self.text.push_str(text);
        self.statements += 1;
        self.statements - 1
    }

    /// Binds the next value.
    pub(super) fn bind<T>(&mut self, value: T) -> Result<(), StoreError>
    where
        T: for<'t> Encode<'t, Sqlite> + Type<Sqlite>,
    {
        self.arguments.add(value).map_err(|error| StoreError::invalid("value", error.to_string()))
    }

    /// Runs them. After a failure the connection may be in a transaction.
    pub(super) async fn run(&self, connection: &mut SqliteConnection) -> Result<Done, Failure> {
        let end = if self.transaction { "; COMMIT" } else { "" };
        let text = [self.text.as_str(), end].concat();
        let query = query_with(AssertSqlSafe(text), self.arguments.clone());
        let mut done = Done::default();
        let mut results = connection.fetch_many(query);
        while let Some(result) = results.try_next().await? {
            match result {
                Either::Left(statement) => done.changes.push(statement.rows_affected()),
                Either::Right(row) => done.rows.push(row),
            }
        }
        Ok(done)
    }
}
