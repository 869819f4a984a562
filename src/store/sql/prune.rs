//! Deleting what is old, a few rows at a time.

use sea_orm::DbBackend;

use super::statement::Sql;

/// Deletes up to `at_most` rows whose `column` is below `before`, the oldest first. `also` is a
/// further condition, which begins with ` AND`.
pub(super) fn oldest(
    backend: DbBackend,
    table: &str,
    column: &str,
    also: &str,
    before: i64,
    at_most: u32,
) -> Sql {
    // The place of a row in its table: no index is needed to find it again.
    let place = match backend {
        DbBackend::Postgres => "ctid",
        _ => "rowid",
    };
    let (any, end) = match backend {
        DbBackend::Postgres => ("= ANY(ARRAY(", "))"),
        _ => ("IN (", ")"),
    };
    let mut sql = Sql::new(format!(
        "DELETE FROM {table} WHERE {place} {any}SELECT {place} FROM {table} WHERE {column} < "
    ));
    sql.bind(before).push(also).push(&format!(" ORDER BY {column} LIMIT "));
    sql.bind(i64::from(at_most)).push(end);
    sql
}
