//! Statements that are put together with their parameters.

use sea_orm::{DbBackend, Statement, Value};

use crate::store::{TimeRange, Timestamp};

/// The text of a statement and what is bound to it. Both databases take `$1` for the first
/// parameter, so that most statements are the same text in both.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    text: String,
    values: Vec<Value>,
    /// Whether placeholders are `?`.
    unnamed: bool,
}

impl Sql {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new(), unnamed: false }
    }

    /// A statement for SQLite with many parameters: it looks a named one up among all that have
    /// names, one after the other, so that hundreds cost more than the rows they are for.
    #[cfg(feature = "sqlite")]
    pub(super) fn unnamed(text: impl Into<String>) -> Self {
        Self { unnamed: true, ..Self::new(text) }
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Writes the next placeholder and binds a value to it.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        if self.unnamed {
            self.text.push('?');
        } else {
            self.text.push('$');
            self.text.push_str(&self.values.len().to_string());
        }
        self
    }

    /// Writes placeholders with commas between them.
    pub(super) fn bind_all(&mut self, values: impl IntoIterator<Item = Value>) -> &mut Self {
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.bind(value);
        }
        self
    }

    /// Writes that a column, which ` AND` or ` WHERE` comes before, is in a range.
    pub(super) fn push_range(&mut self, column: &str, range: TimeRange) -> &mut Self {
        self.push(column).push(" >= ").bind(range.from.as_micros());
        // That one has no end.
        if range.until < Timestamp::MAX {
            self.push(" AND ").push(column).push(" < ").bind(range.until.as_micros());
        }
        self
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn into_parts(self) -> (String, Vec<Value>) {
        (self.text, self.values)
    }

    pub(super) fn on(self, backend: DbBackend) -> Statement {
        Statement::from_sql_and_values(backend, self.text, self.values)
    }
}

/// What is not the same in both databases.
pub(super) trait Dialect {
    /// The time by the store's clock, in microseconds since 1970.
    fn now(self) -> &'static str;
    /// The larger of two values.
    fn greatest(self) -> &'static str;
}

impl Dialect for DbBackend {
    fn now(self) -> &'static str {
        match self {
            // It has milliseconds only.
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
            // That of the statement, since one that goes on would keep indexes from being used.
            _ => "CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT)",
        }
    }

    fn greatest(self) -> &'static str {
        match self {
            Self::Sqlite => "max",
            _ => "greatest",
        }
    }
}
