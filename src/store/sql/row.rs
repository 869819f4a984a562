//! Reading rows that anybody may have written to.

use std::{cell::Cell, time::Duration};

use sea_orm::{QueryResult, TryGetable};

use crate::{
    circuit::State,
    name::ServiceName,
    store::{Extra, RunId, StoreError, Timestamp},
};

/// Reads the columns of a row, in the order that they were selected in. What is out of its bounds is
/// [`StoreError::Corrupt`] and names table, row and field.
#[derive(Debug)]
pub(super) struct Row<'a> {
    table: &'static str,
    key: String,
    row: &'a QueryResult,
    at: Cell<usize>,
}

impl<'a> Row<'a> {
    /// A row and where it comes from. The key is for people.
    pub(super) fn new(table: &'static str, key: String, row: &'a QueryResult) -> Self {
        Self { table, key, row, at: Cell::new(0) }
    }

    /// A row whose first column is its key.
    pub(super) fn keyed(table: &'static str, row: &'a QueryResult) -> Self {
        let key = row.try_get_by_index::<String>(0).unwrap_or_else(|_| "?".to_owned());
        Self::new(table, key, row)
    }

    pub(super) fn corrupt(&self, problem: impl Into<String>) -> StoreError {
        StoreError::corrupt(self.table, self.key.as_str(), problem)
    }

    fn next<T: TryGetable>(&self, field: &str) -> Result<T, StoreError> {
        let at = self.at.replace(self.at.get() + 1);
        self.row
            .try_get_by_index(at)
            .map_err(|error| self.corrupt(format!("{field} cannot be read: {error}")))
    }

    pub(super) fn text(&self, field: &str) -> Result<String, StoreError> {
        self.next(field)
    }

    pub(super) fn maybe_text(&self, field: &str) -> Result<Option<String>, StoreError> {
        self.next(field)
    }

    pub(super) fn real(&self, field: &str) -> Result<f64, StoreError> {
        self.next(field)
    }

    pub(super) fn int(&self, field: &str) -> Result<i64, StoreError> {
        self.next(field)
    }

    pub(super) fn maybe_int(&self, field: &str) -> Result<Option<i64>, StoreError> {
        self.next(field)
    }

    /// Zero to `i64::MAX`.
    pub(super) fn number(&self, field: &str) -> Result<u64, StoreError> {
        let value = self.int(field)?;
        self.at_least_zero(field, value)
    }

    pub(super) fn maybe_number(&self, field: &str) -> Result<Option<u64>, StoreError> {
        self.maybe_int(field)?.map(|value| self.at_least_zero(field, value)).transpose()
    }

    fn at_least_zero(&self, field: &str, value: i64) -> Result<u64, StoreError> {
        u64::try_from(value)
            .map_err(|_| self.corrupt(format!("{field} is {value} but must not be negative")))
    }

    pub(super) fn small(&self, field: &str) -> Result<u32, StoreError> {
        let value = self.int(field)?;
        self.fits(field, value)
    }

    pub(super) fn maybe_small(&self, field: &str) -> Result<Option<u32>, StoreError> {
        self.maybe_int(field)?.map(|value| self.fits(field, value)).transpose()
    }

    fn fits(&self, field: &str, value: i64) -> Result<u32, StoreError> {
        u32::try_from(value).map_err(|_| {
            self.corrupt(format!("{field} is {value} but must be from 0 to {}", u32::MAX))
        })
    }

    pub(super) fn time(&self, field: &str) -> Result<Timestamp, StoreError> {
        let value = self.int(field)?;
        self.since_1970(field, value)
    }

    pub(super) fn maybe_time(&self, field: &str) -> Result<Option<Timestamp>, StoreError> {
        self.maybe_int(field)?.map(|value| self.since_1970(field, value)).transpose()
    }

    fn since_1970(&self, field: &str, value: i64) -> Result<Timestamp, StoreError> {
        Timestamp::from_micros(value)
            .ok_or_else(|| self.corrupt(format!("{field} is {value} µs, before 1970")))
    }

    pub(super) fn duration(&self, field: &str) -> Result<Duration, StoreError> {
        self.number(field).map(Duration::from_micros)
    }

    pub(super) fn maybe_duration(&self, field: &str) -> Result<Option<Duration>, StoreError> {
        Ok(self.maybe_number(field)?.map(Duration::from_micros))
    }

    pub(super) fn service(&self, field: &str) -> Result<ServiceName, StoreError> {
        let value = self.text(field)?;
        self.name(field, &value)
    }

    pub(super) fn maybe_service(&self, field: &str) -> Result<Option<ServiceName>, StoreError> {
        self.maybe_text(field)?.map(|value| self.name(field, &value)).transpose()
    }

    fn name(&self, field: &str, value: &str) -> Result<ServiceName, StoreError> {
        ServiceName::new(value).map_err(|error| self.corrupt(format!("{field}: {error}")))
    }

    /// A run; missing where the instance it belongs to is.
    pub(super) fn run(&self, field: &str) -> Result<RunId, StoreError> {
        let value = self.maybe_number(field)?;
        value
            .and_then(RunId::new)
            .ok_or_else(|| self.corrupt(format!("{field}: there is no such instance")))
    }

    pub(super) fn maybe_state(&self, field: &str) -> Result<Option<State>, StoreError> {
        self.maybe_text(field)?.map(|name| self.state(field, &name)).transpose()
    }

    pub(super) fn state(&self, field: &str, name: &str) -> Result<State, StoreError> {
        const ALL: [State; 6] = [
            State::Closed,
            State::Open,
            State::HalfOpen,
            State::ForcedOpen,
            State::Disabled,
            State::MetricsOnly,
        ];
        ALL.into_iter()
            .find(|state| state.as_str() == name)
            .ok_or_else(|| self.corrupt(format!("{field} is `{name}`, which is no state")))
    }

    /// A JSON object; empty where there is none.
    pub(super) fn data(&self, field: &str) -> Result<Extra, StoreError> {
        self.json(field)
    }

    /// JSON of some shape; its default where there is none.
    pub(super) fn json<T: Default + serde::de::DeserializeOwned>(
        &self,
        field: &str,
    ) -> Result<T, StoreError> {
        match self.maybe_text(field)? {
            None => Ok(T::default()),
            Some(text) => serde_json::from_str(&text)
                .map_err(|error| self.corrupt(format!("{field} is not its JSON: {error}"))),
        }
    }
}

/// Data as it is bound; null where there is none.
pub(super) fn json(data: &Extra) -> sea_orm::Value {
    let value = (!data.is_empty()).then(|| Box::new(serde_json::Value::Object(data.clone())));
    sea_orm::Value::Json(value)
}

/// A number as it is bound. Checks before the write keep it in its bounds.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
